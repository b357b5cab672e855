// Every node upstream of an entity within some hops, each with its distance.
//
// urn      where the walk starts
// limit    nodes at most, the start included; the nearest are kept
// returns  one row: columns, [[urn], [name], [distance], [urn of each that is only referenced], [urn of each removed one]]
//          of the nodes, the first three sorted by distance; all empty where the start does not exist
// index    entity_urn (unique); then the walk follows these types only, and prunes breadth-first
// note     __TYPES__ is replaced by names from the registry, joined by |, and the 20 of *0..20 by the caller's hops: neither
//          can be a parameter. `min(length(path))` lets the planner prune; the inline predicate costs nothing. Columns
//          cross the wire in half the time of rows
//
// :param urn => "urn:li:dataset:a"
// :param limit => 10001
MATCH path = (start:Entity {urn: $urn})-[:__TYPES__*0..20 {lineage: true}]->(node)
WITH node, min(length(path)) AS distance
ORDER BY distance LIMIT $limit
RETURN [collect(node.urn), collect(coalesce(node.name, node.urn)), collect(distance),
        collect(CASE WHEN node.referencedOnly THEN node.urn END), collect(CASE WHEN node.removed THEN node.urn END)] AS columns
