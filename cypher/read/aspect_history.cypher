// Versions of one aspect of entities, newest first: the current one, then those it replaced.
//
// urns     [urn]
// name     aspect name
// start    versions to leave out, from the newest
// count    versions at most, per entity
// returns  one row: rows, [[urn, name, version, value, createdAt, createdBy, systemMetadata, runId, unmodelled]]
// index    entity_urn (unique), aspect_version (unique) by urn and name
// note     `version > 0` is true of every version; without it the planner does not use the composite index
//
// :param urns => ["urn:li:tag:a"]
// :param name => "status"
// :param start => 0
// :param count => 10
UNWIND $urns AS urn
CALL (urn) {
  CALL (urn) {
    MATCH (:Entity {urn: urn})-[:HAS_ASPECT]->(aspect:Aspect {name: $name})
    RETURN aspect
    UNION ALL
    MATCH (aspect:AspectVersion {urn: urn, name: $name})
    WHERE aspect.version > 0
    RETURN aspect
  }
  RETURN aspect ORDER BY aspect.version DESC SKIP $start LIMIT $count
}
RETURN collect([urn, aspect.name, aspect.version, aspect.value, aspect.createdAt, aspect.createdBy,
                aspect.systemMetadata, aspect.runId, aspect.unmodelled]) AS rows
