// Describe end nodes which have just come into being, as far as their URNs do; they say that nobody else has described them.
//
// rows     [{urn, labels, properties}]
// returns  nothing; the caller reads the counters
// index    entity_urn (unique)
//
// :param rows => [{urn: "urn:li:tag:b", labels: ["Tag"], properties: {name: "b"}}]
UNWIND $rows AS row
MATCH (e:Entity {urn: row.urn})
WHERE e.name IS NULL
SET e:$(row.labels), e += row.properties, e.referencedOnly = true
