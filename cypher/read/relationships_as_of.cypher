// One page of each entity's relationships as they stood at a time, with their total.
//
// urns     [urn]
// out      those that point away from it
// in       those that point to it
// lineage  lineage only
// removed  those with entities that were soft-deleted then, too
// at       milliseconds
// start    relationships to leave out, in the order of the answer
// count    relationships at most, per entity
// counts   whether to count the types; else they are empty
// returns  one row: rows, [[urn, total, [[type, urn of the other end, outgoing, aspect, declaredBy, via, createdOn,
//          createdActor, updatedOn, updatedActor, properties]], [[type, outgoing, how many]]]]; a page is sorted by type,
//          then the other end's urn; the type is the model's own, also where the edge is a mirror; times are milliseconds
// index    entity_urn (unique), then the entity's relationships of these types; past_edge_source, past_edge_target;
//          aspect_version (unique) by urn and name
// note     __TYPES__ is replaced by names from the registry, joined by |. An edge from an entity to itself counts once. An
//          edge without `since` is older than that property, and stood always. Values are canonical JSON, so that their text can be
//          asked; `version > 0` is true of every version, and lets the planner use the index
//
// :param urns => ["urn:li:tag:a"]
// :param out => true
// :param in => true
// :param lineage => false
// :param removed => true
// :param at => 3
// :param start => 0
// :param count => 10
// :param counts => true
UNWIND $urns AS urn
CALL (urn) {
  MATCH (:Entity {urn: urn})-[edge:__TYPES__]->(other:Entity)
  WHERE $out AND coalesce(edge.since, 0) <= $at AND ($lineage = false OR edge.lineage)
  RETURN coalesce(edge.mirrorOf, type(edge)) AS type, other.urn AS other, true AS outgoing, properties(edge) AS edge
  UNION ALL
  MATCH (:Entity {urn: urn})<-[edge:__TYPES__]-(other:Entity)
  WHERE $in AND ($out = false OR other.urn <> urn) AND coalesce(edge.since, 0) <= $at AND ($lineage = false OR edge.lineage)
  RETURN coalesce(edge.mirrorOf, type(edge)) AS type, other.urn AS other, other.urn = urn AS outgoing, properties(edge) AS edge
  UNION ALL
  MATCH (past:PastEdge)
  WHERE past.source = urn AND past.until > $at AND coalesce(past.since, 0) <= $at AND $out
    AND past.type IN split("__TYPES__", "|") AND ($lineage = false OR past.lineage)
  RETURN coalesce(past.mirrorOf, past.type) AS type, past.target AS other, true AS outgoing, properties(past) AS edge
  UNION ALL
  MATCH (past:PastEdge)
  WHERE past.target = urn AND past.until > $at AND coalesce(past.since, 0) <= $at
    AND $in AND ($out = false OR past.source <> urn)
    AND past.type IN split("__TYPES__", "|") AND ($lineage = false OR past.lineage)
  RETURN coalesce(past.mirrorOf, past.type) AS type, past.source AS other, past.source = urn AS outgoing, properties(past) AS edge
}
WITH urn, type, other, outgoing, edge
WHERE $removed OR NOT (
  EXISTS {
    MATCH (:Entity {urn: other})-[:HAS_ASPECT]->(status:Aspect {name: "status"})
    WHERE status.createdAt <= $at AND status.value CONTAINS '"removed":true'
  } OR EXISTS {
    MATCH (status:AspectVersion {urn: other, name: "status"})
    WHERE status.version > 0 AND status.createdAt <= $at AND status.replacedAt > $at
      AND status.value CONTAINS '"removed":true'
  }
)
WITH urn, type, other, outgoing, edge ORDER BY type, other, edge.aspect, edge.declaredBy
WITH urn, collect([type, other, outgoing, edge.aspect, edge.declaredBy, edge.via, edge.createdOn, edge.createdActor,
                   edge.updatedOn, edge.updatedActor, edge.properties]) AS found
RETURN collect([urn, size(found), found[$start..][..$count], COLLECT {
  UNWIND CASE WHEN $counts THEN found ELSE [] END AS row
  WITH row[0] AS type, row[2] AS outgoing, count(*) AS count
  ORDER BY type, outgoing DESC
  RETURN [type, outgoing, count]
}]) AS rows
