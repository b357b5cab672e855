// Aspects as they were at given versions: the current one or a replaced one.
//
// requests [{index, urn, name, version}]
// returns  one row: rows, [[index, name, version, value, createdAt, createdBy, systemMetadata, runId, unmodelled]],
//          for the versions that exist, in no order; columns as in read/aspects
// index    entity_urn (unique) for the current ones, aspect_version (unique) for the others
//
// :param requests => [{index: 0, urn: "urn:li:tag:a", name: "status", version: 1}]
UNWIND $requests AS request
CALL (request) {
  MATCH (:Entity {urn: request.urn})-[:HAS_ASPECT]->(aspect:Aspect {name: request.name})
  WHERE aspect.version = request.version
  RETURN aspect
  UNION ALL
  MATCH (aspect:AspectVersion {urn: request.urn, name: request.name, version: request.version})
  RETURN aspect
}
RETURN collect([request.index, aspect.name, aspect.version, aspect.value, aspect.createdAt, aspect.createdBy,
                aspect.systemMetadata, aspect.runId, aspect.unmodelled]) AS rows
