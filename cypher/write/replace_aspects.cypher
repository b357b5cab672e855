// Put a new version in the place of an aspect's current one, or after its deleted one; the old one becomes history.
//
// rows     [{urn, name, at, properties, aspect: properties of the new Aspect node}]; at in milliseconds
// returns  nothing; the caller reads the counters
// index    entity_urn (unique), then the entity's few aspects
//
// :param rows => [{urn: "urn:li:tag:a", name: "status", at: 2, properties: {}, aspect: {name: "status", version: 2, value: "{}"}}]
UNWIND $rows AS row
MATCH (e:Entity {urn: row.urn})-[has:HAS_ASPECT|HAD_ASPECT]->(old {name: row.name})
SET e += row.properties
REMOVE e.referencedOnly
REMOVE old:Aspect
SET old:AspectVersion, old.urn = row.urn, old.replacedAt = coalesce(old.replacedAt, row.at)
DELETE has
CREATE (e)-[:HAS_ASPECT]->(new:Aspect)-[:PREVIOUS]->(old)
SET new = row.aspect
