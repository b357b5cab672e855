// Current aspects of entities.
//
// urns     [urn]
// names    [aspect name]; null asks for all
// returns  one row: rows, [[urn, name, version, value, createdAt, createdBy, systemMetadata, runId, unmodelled]],
//          by urn in the order of urns, then by name; value and systemMetadata are JSON text, createdAt milliseconds
// index    entity_urn (unique), then the entity's few aspects
//
// :param urns => ["urn:li:tag:a"]
// :param names => ["status", "tagProperties"]
UNWIND $urns AS urn
CALL (urn) {
  MATCH (:Entity {urn: urn})-[:HAS_ASPECT]->(aspect:Aspect)
  WHERE $names IS NULL OR aspect.name IN $names
  RETURN aspect ORDER BY aspect.name
}
RETURN collect([urn, aspect.name, aspect.version, aspect.value, aspect.createdAt, aspect.createdBy,
                aspect.systemMetadata, aspect.runId, aspect.unmodelled]) AS rows
