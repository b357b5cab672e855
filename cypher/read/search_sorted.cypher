// Entities that match a text and filters, in the order of up to three of their properties.
//
// texts    [a Lucene query], or none: then prefixes are used
// prefixes [what URNs start with]
// removed  soft-deleted ones too
// types    [what URNs start with], or null for all
// groups   [[{field, op, values, texts, negated}]]: in one of them all conditions hold; texts are the values in lower case
// sort     [property] to sort by, then by urn; entities without one come last
// descending [whether the greatest come first], for each
// after    {urn, values} of the last entity of the page before; or null
// start    entities to leave out
// count    entities at most
// fields   [property] to bring along, where it is there
// returns  one row: rows, [[urn, name, score, [value of each property], [[field, value]]]]
// index    entity_search (full-text) for texts, else a range of entity_urn (unique)
// note     __FIRST__, __SECOND__ and __THIRD__ are ASC or DESC; the order of a property that is not asked for says nothing.
//          [ahead, level] says of an entity how it stands to the last one, by the properties looked at so far
//
// :param texts => ["nameWords:orders"]
// :param prefixes => []
// :param removed => false
// :param types => ["urn:li:dataset:"]
// :param groups => [[{field: "origin", op: "EQUAL", values: ["PROD"], texts: ["prod"], negated: false}]]
// :param sort => ["urn"]
// :param descending => [false]
// :param after => null
// :param start => 0
// :param count => 10
// :param fields => []
CALL () {
  UNWIND $texts AS text
  CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()
  CALL db.index.fulltext.queryNodes("entity_search", text) YIELD node, score
  RETURN node, score
 UNION ALL
  UNWIND $prefixes AS prefix
  MATCH (node:Entity) WHERE node.urn STARTS WITH prefix
  RETURN node, 0.0 AS score
}
WITH node, score
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
WITH node, score, [property IN $sort | node[property]] AS values
WITH node, score, values, CASE WHEN $after IS NULL THEN [true, false] ELSE
  reduce(state = [false, true], i IN range(0, size($sort) - 1) | CASE
    WHEN state[0] OR NOT state[1] THEN state
    WHEN values[i] IS NULL THEN [$after.values[i] IS NOT NULL, $after.values[i] IS NULL]
    WHEN $after.values[i] IS NULL THEN [false, false]
    ELSE [CASE WHEN $descending[i] THEN values[i] < $after.values[i] ELSE values[i] > $after.values[i] END,
      values[i] = $after.values[i]]
  END) END AS state
WHERE state[0] OR (state[1] AND node.urn > $after.urn)
ORDER BY values[0] IS NULL, values[0] __FIRST__, values[1] IS NULL, values[1] __SECOND__, values[2] IS NULL, values[2] __THIRD__,
  node.urn SKIP $start LIMIT $count
RETURN collect([node.urn, node.name, score, values, [f IN $fields WHERE node[f] IS NOT NULL | [f, node[f]]]]) AS rows
