// Aspects that declare an edge from or to an entity, some of them; its own do not count.
//
// urn      the entity
// skipped  [[urn, aspect]] to leave out
// count    edges to look at, at most
// returns  one row: rows, [[urn, aspect, relationship type, version, value as JSON text]], a row per edge type
// index    entity_urn (unique), then the entity's edges until there are enough
//
// :param urn => "urn:li:tag:a"
// :param skipped => []
// :param count => 200
MATCH (:Entity {urn: $urn})-[edge]-()
WHERE edge.declaredBy <> $urn AND NOT [edge.declaredBy, edge.aspect] IN $skipped
WITH DISTINCT edge.declaredBy AS urn, edge.aspect AS name, coalesce(edge.mirrorOf, type(edge)) AS type LIMIT $count
MATCH (:Entity {urn: urn})-[:HAS_ASPECT]->(aspect:Aspect {name: name})
RETURN collect([urn, name, type, aspect.version, aspect.value]) AS rows
