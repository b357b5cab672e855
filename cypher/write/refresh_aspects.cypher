// Note that the same value was seen again: who sent it last, and when.
//
// rows     [{urn, name, system, runId}]; system is JSON text
// returns  nothing; the caller reads the counters
// index    entity_urn (unique), then the entity's few aspects
//
// :param rows => [{urn: "urn:li:tag:a", name: "status", system: "{}", runId: "r2"}]
UNWIND $rows AS row
MATCH (:Entity {urn: row.urn})-[:HAS_ASPECT]->(a:Aspect {name: row.name})
SET a.systemMetadata = row.system, a.runId = row.runId
