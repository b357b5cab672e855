// Delete edges of one type which an aspect no longer declares, and keep what they said for reads of the past.
//
// rows     [{source, aspect, declaredBy, via, targets, at}]; via "" stands for none; at in milliseconds, null if nothing
//          is to be kept
// returns  nothing; the caller reads the counters
// index    entity_urn (unique), then the source's edges of this type once per row
// note     __EDGE_TYPE__ is replaced by a name from the registry
//
// :param rows => [{source: "urn:li:tag:a", aspect: "x", declaredBy: "urn:li:tag:a", via: "", targets: ["urn:li:tag:b"], at: 3}]
UNWIND $rows AS row
MATCH (source:Entity {urn: row.source})-[edge:__EDGE_TYPE__]->(target:Entity)
WHERE edge.aspect = row.aspect AND edge.declaredBy = row.declaredBy AND coalesce(edge.via, "") = row.via
  AND target.urn IN row.targets
FOREACH (_ IN CASE WHEN row.at IS NOT NULL THEN [1] ELSE [] END |
  CREATE (past:PastEdge)
  SET past = properties(edge), past.source = row.source, past.target = target.urn, past.type = "__EDGE_TYPE__",
      past.until = row.at
)
DELETE edge
