// Describe entities: set the node's label and properties and hang the first versions of aspects on it.
//
// rows     [{node, labels, properties, aspects: [properties of an Aspect node]}]
// returns  nothing; the caller reads the counters
// index    none: node is an element id of this transaction (see lock_entities); a seek by URN costs twice as much
//
// :param rows => [{node: "4:00000000-0000-0000-0000-000000000000:0", labels: ["Tag"], properties: {removed: false}, aspects: [{name: "status", version: 1, value: "{}"}]}]
UNWIND $rows AS row
MATCH (e) WHERE elementId(e) = row.node
SET e:$(row.labels), e += row.properties
REMOVE e.referencedOnly
FOREACH (aspect IN row.aspects |
  CREATE (e)-[:HAS_ASPECT]->(a:Aspect)
  SET a = aspect
)
