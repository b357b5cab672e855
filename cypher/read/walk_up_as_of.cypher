// The lineage edges that led upstream from some nodes at a time.
//
// urns     [urn], the near ends
// at       milliseconds
// after    only edges to far ends behind this URN
// limit    edges at most, in the order of the far ends
// returns  one row: columns, [[index of the near end in urns], [urn of the far end], [type], [points to the downstream],
//          [aspect], [via], [createdOn], [updatedOn], [transformOperation]], as in read/walk_up
// index    entity_urn (unique), then each node's relationships of these types; past_edge_source
// note     __TYPES__ is replaced by names from the registry, joined by |. An edge without `since` is older than that
//          property, and stood always
//
// :param urns => ["urn:li:dataset:a"]
// :param at => 3
// :param after => ""
// :param limit => 100
UNWIND range(0, size($urns) - 1) AS index
WITH index, $urns[index] AS urn
CALL (urn) {
  MATCH (near:Entity {urn: urn})-[edge:__TYPES__ {lineage: true}]->(far)
  WHERE coalesce(edge.since, 0) <= $at
  RETURN far.urn AS far, type(edge) AS type, properties(edge) AS edge
  UNION ALL
  MATCH (past:PastEdge)
  WHERE past.source = urn AND past.until > $at AND coalesce(past.since, 0) <= $at AND past.lineage
    AND past.type IN split("__TYPES__", "|")
  RETURN past.target AS far, past.type AS type, properties(past) AS edge
}
WITH index, far, type, edge WHERE far > $after
WITH index, far, type, edge ORDER BY far LIMIT $limit
RETURN [collect(index), collect(far), collect(coalesce(edge.mirrorOf, type)), collect(edge.mirrorOf IS NOT NULL),
        collect(coalesce(edge.aspect, "")), collect(coalesce(edge.via, "")), collect(coalesce(edge.createdOn, 0)),
        collect(coalesce(edge.updatedOn, 0)), collect(coalesce(edge.transformOperation, ""))] AS columns
