// Delete nodes which nobody has described and nothing points to any more.
//
// urns     [urn], sorted
// returns  nothing; the caller reads the counters
// index    entity_urn (unique)
// note     REMOVE takes the node's write lock before the look for edges (see lock_entities). An edge which another writer
//          makes at the same time does not wait for it: then one of the two fails, and is tried again (docs/adr/0004)
//
// :param urns => ["urn:li:tag:b"]
UNWIND $urns AS urn
MATCH (e:Entity {urn: urn})
WHERE e.referencedOnly OR e.name IS NULL
REMOVE e.lockedAt
WITH e
WHERE NOT EXISTS { (e)--() }
DELETE e
