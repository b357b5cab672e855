// How many relationships of each type each entity has, that it declares, or that point away from it.
//
// urns     [urn]
// removed  those with soft-deleted entities too
// returns  one row: rows, [[urn, [[type, outgoing, count]]]], by type, those that point away first
// index    entity_urn (unique), then the entity's relationships of these types
// note     __TYPES__ is replaced by names from the registry, joined by |. A relationship of an entity with itself points
//          away, and counts once
//
// :param urns => ["urn:li:tag:a"]
// :param removed => true
UNWIND $urns AS urn
MATCH (entity:Entity {urn: urn})
RETURN collect([urn, COLLECT {
  MATCH (entity)-[edge:__TYPES__]->(other:Entity)
  WHERE $removed OR other.removed IS NULL OR other.removed = false
  WITH type(edge) AS type, startNode(edge) = entity AS outgoing, count(*) AS count
  ORDER BY type, outgoing DESC
  RETURN [type, outgoing, count]
}]) AS rows
