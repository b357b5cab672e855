// One page of each entity's relationships in both directions, with their total.
//
// urns     [urn]
// start    relationships to leave out, in the order of the answer
// count    relationships at most, per entity
// returns  one row: rows, [[urn, total, [[type, urn of the other end, outgoing, aspect, declaredBy, via, createdOn,
//          createdActor, updatedOn, updatedActor, properties]]]]; a page is sorted by type, then the other end's urn;
//          times are milliseconds
// index    entity_urn (unique), then the entity's relationships of these types
// note     __TYPES__ is replaced by names from the registry, joined by |. The total is read from the node's degree
//
// :param urns => ["urn:li:tag:a"]
// :param start => 0
// :param count => 10
UNWIND $urns AS urn
MATCH (entity:Entity {urn: urn})
CALL (entity) {
  MATCH (entity)-[edge:__TYPES__]-(other:Entity)
  WITH edge, other ORDER BY type(edge), other.urn, edge.aspect, edge.declaredBy SKIP $start LIMIT $count
  RETURN collect([type(edge), other.urn, startNode(edge) = entity, edge.aspect, edge.declaredBy, edge.via,
                  edge.createdOn, edge.createdActor, edge.updatedOn, edge.updatedActor, edge.properties]) AS page
}
RETURN collect([urn, COUNT { (entity)-[:__TYPES__]-() }, page]) AS rows
