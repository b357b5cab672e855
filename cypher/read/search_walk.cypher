// Entities in the order of their URNs that match filters, from one URN on: the cost grows with what is passed over, not with the graph.
//
// ranges   [{after, end}]: URNs between the two, neither included
// removed  soft-deleted ones too
// types    [what URNs start with], or null for all
// groups   [[{field, op, values, texts, negated}]]: in one of them all conditions hold; texts are the values in lower case
// start    entities to leave out
// count    entities at most
// returns  one row: columns, [[urn], [name]], a name that is missing being ""
// index    entity_urn (unique), in its order
//
// :param ranges => [{after: "urn:li:dataset:", end: "urn:li:dataset;"}]
// :param removed => false
// :param types => null
// :param groups => []
// :param start => 0
// :param count => 10
UNWIND $ranges AS range
CALL (range) {
  MATCH (node:Entity)
  WHERE node.urn > range.after AND node.urn < range.end
  WITH node, node.urn AS urn ORDER BY urn
  WHERE node.referencedOnly IS NULL AND ($removed OR node.removed IS NULL OR node.removed = false)
    AND ($types IS NULL OR any(type IN $types WHERE node.urn STARTS WITH type))
  AND (size($groups) = 0 OR any(group IN $groups WHERE all(c IN group WHERE c.negated <> coalesce(any(x IN
    CASE c.field WHEN "_entityType" THEN labels(node) WHEN "removed" THEN [coalesce(node.removed, false)]
      ELSE node[c.field] + [] END
    WHERE x IS NOT NULL AND CASE c.op
      WHEN "EQUAL" THEN x IN c.values
      WHEN "EXISTS" THEN true
      WHEN "IEQUAL" THEN toLower(toString(x)) IN c.texts
      WHEN "CONTAIN" THEN any(text IN c.texts WHERE toLower(toString(x)) CONTAINS text)
      WHEN "START_WITH" THEN any(text IN c.texts WHERE toLower(toString(x)) STARTS WITH text)
      WHEN "END_WITH" THEN any(text IN c.texts WHERE toLower(toString(x)) ENDS WITH text)
      WHEN "GREATER_THAN" THEN any(value IN c.values WHERE x > value)
      WHEN "GREATER_THAN_OR_EQUAL_TO" THEN any(value IN c.values WHERE x >= value)
      WHEN "LESS_THAN" THEN any(value IN c.values WHERE x < value)
      WHEN "LESS_THAN_OR_EQUAL_TO" THEN any(value IN c.values WHERE x <= value)
      ELSE false END), false))))
  RETURN node, urn LIMIT $start + $count
}
WITH node, urn ORDER BY urn SKIP $start LIMIT $count
RETURN [collect(urn), collect(coalesce(node.name, ""))] AS columns
