// Delete nodes which nobody has described and nothing points to any more.
//
// urns     [urn], sorted
// returns  nothing; the caller reads the counters
// index    entity_urn (unique)
// note     REMOVE takes the node's write lock before the look for edges: an edge that another writer is just making is
//          waited for and seen, and one that comes later finds the node gone and is made again (docs/adr/0004)
//
// :param urns => ["urn:li:tag:b"]
UNWIND $urns AS urn
MATCH (e:Entity {urn: urn})
WHERE e.referencedOnly
REMOVE e.locked
WITH e
WHERE NOT EXISTS { (e)--() }
DELETE e
