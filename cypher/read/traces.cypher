// What became of the aspects of one trace.
//
// rows     [{index, urn, name}]
// trace    trace id
// mark     how the trace stands in the JSON text of systemMetadata
// returns  one row: states, a list of [index, exists, active, replaced, message]: whether the aspect is there now, whether
//          that is by this trace, whether an older version is, and why its proposal was refused, if it was
// index    entity_urn (unique), aspect_version (unique) by urn and name, refusal (unique)
// note     `version > 0` is true of every version; without it the planner does not use the composite index
//
// :param rows => [{index: 0, urn: "urn:li:tag:a", name: "status"}]
// :param trace => "0006"
// :param mark => "\"telemetryTraceId\":\"0006\""
UNWIND $rows AS row
OPTIONAL MATCH (:Entity {urn: row.urn})-[:HAS_ASPECT]->(aspect:Aspect {name: row.name})
OPTIONAL MATCH (refusal:Refusal {trace: $trace, urn: row.urn, aspect: row.name})
WITH row, aspect IS NOT NULL AS exists, coalesce(aspect.systemMetadata CONTAINS $mark, false) AS active, refusal,
     EXISTS {
       MATCH (old:AspectVersion {urn: row.urn, name: row.name})
       WHERE old.version > 0 AND old.systemMetadata CONTAINS $mark
     } AS replaced
RETURN collect([row.index, exists, active, replaced, refusal.message]) AS states
