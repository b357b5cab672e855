// Change the details of edges of one type which an aspect still declares.
//
// rows     [{source, target, aspect, declaredBy, via, properties}]; via "" stands for none; a null property is removed
// returns  nothing; the caller reads the counters
// index    entity_urn (unique), at both ends
// note     __EDGE_TYPE__ is replaced by a name from the registry
//
// :param rows => [{source: "urn:li:tag:a", target: "urn:li:tag:b", aspect: "x", declaredBy: "urn:li:tag:a", via: "", properties: {updatedOn: 1}}]
UNWIND $rows AS row
MATCH (source:Entity {urn: row.source})
MATCH (target:Entity {urn: row.target})
MATCH (source)-[edge:__EDGE_TYPE__]->(target)
WHERE edge.aspect = row.aspect AND edge.declaredBy = row.declaredBy AND coalesce(edge.via, "") = row.via
SET edge += row.properties
