// The lineage edges that lead downstream from some nodes, each with the node at its far end.
//
// urns     [urn], the near ends
// limit    edges at most; which ones are left out is not said
// returns  one row: columns, [[index of the near end in urns], [urn], [name], [removed], [referencedOnly] of the far end,
//          [type], [points to the downstream], [aspect], [via], [createdOn], [updatedOn], [transformOperation]], null
//          standing for none, false for not; the type is the model's own, also where the edge is a mirror. Times are
//          milliseconds. In no order
// index    entity_urn (unique), then each node's relationships of these types
// note     __TYPES__ is replaced by names from the registry, joined by |
//
// :param urns => ["urn:li:dataset:a"]
// :param limit => 100
UNWIND range(0, size($urns) - 1) AS index
WITH index, $urns[index] AS urn
MATCH (near:Entity {urn: urn})<-[edge:__TYPES__ {lineage: true}]-(far)
WITH index, edge, far LIMIT $limit
WITH collect(index) AS indexes, collect({edge: edge, far: far}) AS rows
RETURN [indexes, [row IN rows | row.far.urn], [row IN rows | row.far.name], [row IN rows | row.far.removed],
        [row IN rows | row.far.referencedOnly], [row IN rows | coalesce(row.edge.mirrorOf, type(row.edge))],
        [row IN rows | row.edge.mirrorOf IS NOT NULL], [row IN rows | row.edge.aspect], [row IN rows | row.edge.via],
        [row IN rows | row.edge.createdOn], [row IN rows | row.edge.updatedOn],
        [row IN rows | row.edge.transformOperation]] AS columns
