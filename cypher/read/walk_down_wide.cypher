// The lineage edges that lead downstream from a node that has very many, part by part.
//
// urn      the near end
// after    only edges to far ends behind this URN
// limit    edges at most, in the order of the far ends
// returns  one row: columns, as read/walk_down has them; every index is 0
// index    entity_urn (unique), then the node's relationships of these types
// note     __TYPES__ is replaced by names from the registry, joined by |
//
// :param urn => "urn:li:dataset:a"
// :param after => ""
// :param limit => 100
MATCH (near:Entity {urn: $urn})<-[edge:__TYPES__ {lineage: true}]-(far)
WHERE far.urn > $after
WITH edge, far ORDER BY far.urn LIMIT $limit
WITH collect({edge: edge, far: far}) AS rows
RETURN [[row IN rows | 0], [row IN rows | row.far.urn], [row IN rows | row.far.name], [row IN rows | row.far.removed],
        [row IN rows | row.far.referencedOnly], [row IN rows | coalesce(row.edge.mirrorOf, type(row.edge))],
        [row IN rows | row.edge.mirrorOf IS NOT NULL], [row IN rows | row.edge.aspect], [row IN rows | row.edge.via],
        [row IN rows | row.edge.createdOn], [row IN rows | row.edge.updatedOn],
        [row IN rows | row.edge.transformOperation]] AS columns
