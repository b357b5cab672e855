// Every node downstream of an entity within some hops, each with its distance, and the edges that lead on from them.
//
// urn      where the walk starts
// limit    nodes at most, the start included; the nearest are kept
// details  whether to bring the last four columns of the edges, which take a third of the time; else they are empty
// returns  one row: columns, [[urn], [name], [distance], [urn of each that is only referenced], [urn of each removed one]]
//          of the nodes, the first three sorted by distance, then urn, all empty where the start does not exist; then [[index
//          of the near end's node], [urn of the far end], [type], [points to the downstream], [aspect], [via], [createdOn],
//          [updatedOn]] of the edges, "" and 0 standing for none.
//          The far end is no node of the answer where the hops or the limit ended it. The type is the model's own, also
//          where the walk goes over a mirror. Times are milliseconds
// index    entity_urn (unique); then the walk follows these types only, and prunes breadth-first
// note     __TYPES__ is replaced by names from the registry, joined by |, and the 20 of *0..20 by the caller's hops: neither
//          can be a parameter. `min(length(path))` lets the planner prune; the inline predicate costs nothing. Columns
//          cross the wire in half the time of rows
//
// :param urn => "urn:li:dataset:a"
// :param limit => 10001
// :param details => true
MATCH path = (start:Entity {urn: $urn})<-[:__TYPES__*0..20 {lineage: true}]-(node)
WITH node, min(length(path)) AS distance
ORDER BY distance, node.urn LIMIT $limit
WITH collect(node) AS nodes,
     [collect(node.urn), collect(coalesce(node.name, node.urn)), collect(distance),
      collect(CASE WHEN node.referencedOnly THEN node.urn END), collect(CASE WHEN node.removed THEN node.urn END)] AS nodeColumns
CALL (nodes) {
  UNWIND range(0, size(nodes) - 1) AS index
  WITH index, nodes[index] AS node
  MATCH (node)<-[edge:__TYPES__ {lineage: true}]-(far)
  RETURN [collect(index), collect(far.urn), collect(coalesce(edge.mirrorOf, type(edge))), collect(edge.mirrorOf IS NOT NULL),
          collect(CASE WHEN $details THEN coalesce(edge.aspect, "") END), collect(CASE WHEN $details THEN coalesce(edge.via, "") END),
          collect(CASE WHEN $details THEN coalesce(edge.createdOn, 0) END),
          collect(CASE WHEN $details THEN coalesce(edge.updatedOn, 0) END)] AS edgeColumns
}
RETURN nodeColumns + edgeColumns AS columns
