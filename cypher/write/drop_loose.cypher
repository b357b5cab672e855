// Delete nodes which nobody has described and nothing points to any more.
//
// urns     [urn], sorted
// returns  nothing; the caller reads the counters
// index    entity_urn (unique)
//
// :param urns => ["urn:li:tag:b"]
UNWIND $urns AS urn
MATCH (e:Entity {urn: urn})
WHERE e.referencedOnly AND NOT EXISTS { (e)--() }
DELETE e
