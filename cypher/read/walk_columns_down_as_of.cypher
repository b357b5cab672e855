// Where the column lineage of some entities led downstream at a time: which of their neighbours it covered.
//
// urns     [urn] of the entities whose columns are looked at
// at       milliseconds
// limit    answers at most
// returns  one row: rows, [[urn, urn of the far column, declaredBy]], each once, in no order
// index    entity_urn (unique), by the prefix that all columns of an entity share; past_edge_target, by the same
// note     __TYPES__ is replaced by names from the registry, joined by |. `until IS NOT NULL` is true of every past edge;
//          without it the planner does not use the index
//
// :param urns => ["urn:li:dataset:a"]
// :param at => 3
// :param limit => 100
UNWIND $urns AS urn
CALL (urn) {
  MATCH (column:Entity) WHERE column.urn STARTS WITH "urn:li:schemaField:(" + urn + ","
  MATCH (column)<-[edge:__TYPES__ {lineage: true}]-(far:SchemaField)
  WHERE coalesce(edge.since, 0) <= $at
  RETURN far.urn AS other, edge.declaredBy AS declaredBy
  UNION ALL
  MATCH (past:PastEdge)
  WHERE past.target STARTS WITH "urn:li:schemaField:(" + urn + "," AND past.until IS NOT NULL
    AND past.until > $at AND coalesce(past.since, 0) <= $at AND past.lineage AND past.type IN split("__TYPES__", "|")
    AND past.source STARTS WITH "urn:li:schemaField:("
  RETURN past.source AS other, past.declaredBy AS declaredBy
}
WITH DISTINCT urn, other, declaredBy LIMIT $limit
RETURN collect([urn, other, declaredBy]) AS rows
