// One page of each entity's relationships that it declares, or that point away from it, with their total.
//
// urns     [urn]
// start    relationships to leave out, in the order of the answer
// count    relationships at most, per entity
// removed  those with soft-deleted entities too
// returns  one row: rows, [[urn, total, [[type, urn of the other end, outgoing, aspect, declaredBy, via, createdOn,
//          createdActor, updatedOn, updatedActor, properties]]]]; a page is sorted by type, then the other end's urn;
//          times are milliseconds
// index    entity_urn (unique), then the entity's relationships of these types
// note     __TYPES__ is replaced by names from the registry, joined by |. With $removed the total is the node's degree
//
// :param urns => ["urn:li:tag:a"]
// :param start => 0
// :param count => 10
// :param removed => true
UNWIND $urns AS urn
MATCH (entity:Entity {urn: urn})
CALL (entity) {
  MATCH (entity)-[edge:__TYPES__]->(other:Entity)
  WHERE $removed OR other.removed IS NULL OR other.removed = false
  WITH edge, other ORDER BY type(edge), other.urn, edge.aspect, edge.declaredBy SKIP $start LIMIT $count
  RETURN collect([type(edge), other.urn, startNode(edge) = entity, edge.aspect, edge.declaredBy, edge.via,
                  edge.createdOn, edge.createdActor, edge.updatedOn, edge.updatedActor, edge.properties]) AS page
}
RETURN collect([urn, CASE WHEN $removed THEN COUNT { (entity)-[:__TYPES__]->() } ELSE
  COUNT { (entity)-[:__TYPES__]->(other) WHERE other.removed IS NULL OR other.removed = false } END, page]) AS rows
