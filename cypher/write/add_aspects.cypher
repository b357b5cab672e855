// Describe entities: set the node's label and properties and hang the first versions of aspects on it.
//
// rows     [{urn, labels, properties, aspects: [properties of an Aspect node]}]
// returns  nothing; the caller reads the counters
// index    entity_urn (unique)
//
// :param rows => [{urn: "urn:li:tag:a", labels: ["Tag"], properties: {removed: false}, aspects: [{name: "status", version: 1, value: "{}"}]}]
UNWIND $rows AS row
MATCH (e:Entity {urn: row.urn})
SET e:$(row.labels), e += row.properties
REMOVE e.referencedOnly
FOREACH (aspect IN row.aspects |
  CREATE (e)-[:HAS_ASPECT]->(a:Aspect)
  SET a = aspect
)
