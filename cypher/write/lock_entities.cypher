// Bring entities into being, lock them, and read the aspects which the batch is about to write.
//
// rows     [{index, urn, labels, properties, aspects}], sorted by urn; aspects null asks for all
// returns  a row per aspect found, and one with name null for an entity without any: index, exists, name, version, value,
//          system, createdAt, deleted
// index    entity_urn (unique): MERGE seeks it
// note     REMOVE of a property takes the node's write lock even though nobody has that property, so a second
//          writer waits here and then reads what the first one committed
//
// :param rows => [{index: 0, urn: "urn:li:tag:a", labels: ["Tag"], properties: {name: "a"}, aspects: ["status"]}]
UNWIND $rows AS row
MERGE (e:Entity {urn: row.urn})
ON CREATE SET e:$(row.labels), e += row.properties, e.referencedOnly = true
REMOVE e.locked
WITH row, e
OPTIONAL MATCH (e)-[has:HAS_ASPECT|HAD_ASPECT]->(a)
WHERE row.aspects IS NULL OR a.name IN row.aspects
RETURN row.index AS index, e.referencedOnly IS NULL AS exists, a.name AS name, a.version AS version, a.value AS value,
       a.systemMetadata AS system, a.createdAt AS createdAt, type(has) = "HAD_ASPECT" AS deleted
