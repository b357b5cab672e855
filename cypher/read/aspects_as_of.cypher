// Aspects of entities as they stood at a time: of each the version that was the current one then.
//
// urns     [urn]
// names    [aspect name]; null asks for all
// at       milliseconds
// returns  one row: rows, [[urn, name, version, value, createdAt, createdBy, systemMetadata, runId, unmodelled]], sorted by
//          name, then version; columns as in read/aspects. Of two versions that clocks let overlap, the later one counts
// index    entity_urn (unique), then the entity's few aspects; aspect_version (unique) by urn
// note     `version IS NOT NULL` and its like are true of every version; without them the planner does not use the index
//
// :param urns => ["urn:li:tag:a"]
// :param names => ["status", "tagProperties"]
// :param at => 3
UNWIND $urns AS urn
CALL (urn) {
  MATCH (:Entity {urn: urn})-[:HAS_ASPECT]->(aspect:Aspect)
  WHERE ($names IS NULL OR aspect.name IN $names) AND aspect.createdAt <= $at
  RETURN aspect
  UNION ALL
  MATCH (aspect:AspectVersion)
  WHERE aspect.urn = urn AND aspect.name IS NOT NULL AND aspect.version IS NOT NULL
    AND ($names IS NULL OR aspect.name IN $names) AND aspect.createdAt <= $at AND aspect.replacedAt > $at
  RETURN aspect
}
WITH urn, aspect ORDER BY aspect.name, aspect.version
RETURN collect([urn, aspect.name, aspect.version, aspect.value, aspect.createdAt, aspect.createdBy,
                aspect.systemMetadata, aspect.runId, aspect.unmodelled]) AS rows
