// See to it that the end nodes of new edges exist; one that nobody has described says so.
//
// rows     [{urn, labels, properties}], sorted by urn
// returns  nothing; the caller reads the counters
// index    entity_urn (unique): MERGE seeks it
//
// :param rows => [{urn: "urn:li:tag:b", labels: ["Tag"], properties: {name: "b"}}]
UNWIND $rows AS row
MERGE (e:Entity {urn: row.urn})
WITH row, e
WHERE e.name IS NULL
SET e:$(row.labels), e += row.properties, e.referencedOnly = true
