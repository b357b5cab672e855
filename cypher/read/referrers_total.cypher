// How many aspects declare an edge from or to an entity; its own do not count.
//
// urn      the entity
// returns  one row: total
// index    entity_urn (unique), then all of the entity's edges
//
// :param urn => "urn:li:tag:a"
MATCH (:Entity {urn: $urn})-[edge]-()
WHERE edge.declaredBy <> $urn
RETURN count(DISTINCT [edge.declaredBy, edge.aspect]) AS total
