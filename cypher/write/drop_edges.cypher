// Delete edges of one type which an aspect no longer declares.
//
// rows     [{source, aspect, declaredBy, via, targets}]; via "" stands for none
// returns  nothing; the caller reads the counters
// index    entity_urn (unique), then the source's edges of this type once per row
// note     __EDGE_TYPE__ is replaced by a name from the registry
//
// :param rows => [{source: "urn:li:tag:a", aspect: "x", declaredBy: "urn:li:tag:a", via: "", targets: ["urn:li:tag:b"]}]
UNWIND $rows AS row
MATCH (source:Entity {urn: row.source})-[edge:__EDGE_TYPE__]->(target:Entity)
WHERE edge.aspect = row.aspect AND edge.declaredBy = row.declaredBy AND coalesce(edge.via, "") = row.via
  AND target.urn IN row.targets
DELETE edge
