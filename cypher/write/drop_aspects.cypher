// Delete aspects; the last version stays as history, so that a later one counts on from it.
//
// rows     [{urn, name, at, properties}]; at in milliseconds
// returns  nothing; the caller reads the counters
// index    entity_urn (unique), then the entity's few aspects
//
// :param rows => [{urn: "urn:li:tag:a", name: "status", at: 3, properties: {}}]
UNWIND $rows AS row
MATCH (e:Entity {urn: row.urn})-[has:HAS_ASPECT]->(old:Aspect {name: row.name})
SET e += row.properties
REMOVE old:Aspect
SET old:AspectVersion, old.urn = row.urn, old.replacedAt = row.at, old.deleted = true
DELETE has
CREATE (e)-[:HAD_ASPECT]->(old)
