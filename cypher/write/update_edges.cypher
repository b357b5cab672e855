// Change the details of edges of one type which an aspect still declares, and keep the old ones for reads of the past.
//
// rows     [{source, target, aspect, declaredBy, via, at, properties}]; via "" stands for none; at in milliseconds; a null
//          property is removed
// returns  nothing; the caller reads the counters
// index    entity_urn (unique), at both ends
// note     __EDGE_TYPE__ is replaced by a name from the registry
//
// :param rows => [{source: "urn:li:tag:a", target: "urn:li:tag:b", aspect: "x", declaredBy: "urn:li:tag:a", via: "", at: 3, properties: {updatedOn: 1}}]
UNWIND $rows AS row
MATCH (source:Entity {urn: row.source})
MATCH (target:Entity {urn: row.target})
MATCH (source)-[edge:__EDGE_TYPE__]->(target)
WHERE edge.aspect = row.aspect AND edge.declaredBy = row.declaredBy AND coalesce(edge.via, "") = row.via
CREATE (past:PastEdge)
SET past = properties(edge), past.source = row.source, past.target = row.target, past.type = "__EDGE_TYPE__",
    past.until = row.at
SET edge += row.properties, edge.since = row.at
