// One page of each entity's direct downstreams, with their total.
//
// urns     [urn]
// start    relationships to leave out, in the order of the answer
// count    relationships at most, per entity
// removed  soft-deleted ones too
// returns  one row: rows, [[urn, total, [[type, urn of the other end, aspect, declaredBy, via, createdOn, createdActor,
//          updatedOn, updatedActor, properties]]]]; a page is sorted by type, then the other end's urn; the type is the
//          model's own, also where the walk goes over a mirror; times are milliseconds
// index    entity_urn (unique), then the entity's relationships of these types
// note     __TYPES__ is replaced by names from the registry, joined by |
//
// :param urns => ["urn:li:dataset:a"]
// :param start => 0
// :param count => 10
// :param removed => false
UNWIND $urns AS urn
MATCH (entity:Entity {urn: urn})
CALL (entity) {
  MATCH (entity)<-[edge:__TYPES__ {lineage: true}]-(other:Entity)
  WHERE $removed OR other.removed IS NULL OR other.removed = false
  WITH edge, other, coalesce(edge.mirrorOf, type(edge)) AS type
  ORDER BY type, other.urn, edge.aspect, edge.declaredBy SKIP $start LIMIT $count
  RETURN collect([type, other.urn, edge.aspect, edge.declaredBy, edge.via, edge.createdOn, edge.createdActor,
                  edge.updatedOn, edge.updatedActor, edge.properties]) AS page
}
RETURN collect([urn, COUNT {
  (entity)<-[:__TYPES__ {lineage: true}]-(other) WHERE $removed OR other.removed IS NULL OR other.removed = false
}, page]) AS rows
