// How often each value of some properties occurs among the entities that match a text and filters.
//
// texts    [a Lucene query], or none: then prefixes are used
// prefixes [what URNs start with]
// removed  soft-deleted ones too
// types    [what URNs start with], or null for all
// groups   [[{field, op, values, texts, negated}]]: in one of them all conditions hold; texts are the values in lower case
// most     entities that are looked at; those behind them are not counted
// fields   [property]; _entityType stands for the label
// limit    values of a property at most
// returns  one row: rows, [[field, value, count]], by field, the most frequent first, then by value
// index    entity_search (full-text) for texts, else a range of entity_urn (unique)
//
// :param texts => ["nameWords:orders"]
// :param prefixes => []
// :param removed => false
// :param types => ["urn:li:dataset:"]
// :param groups => [[{field: "origin", op: "EQUAL", values: ["PROD"], texts: ["prod"], negated: false}]]
// :param most => 100001
// :param fields => ["platform"]
// :param limit => 20
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
WITH node, score LIMIT $most
WITH [field IN $fields | CASE field WHEN "_entityType" THEN labels(node)
  WHEN "removed" THEN coalesce(node.removed, false) ELSE node[field] END] AS values, count(*) AS count
UNWIND range(0, size($fields) - 1) AS at
WITH at, count, values[at] AS values
UNWIND values + [] AS value
WITH at, value, count WHERE $fields[at] <> "_entityType" OR value <> "Entity"
WITH at, value, sum(count) AS count
ORDER BY at, count DESC, value
WITH at, collect([$fields[at], value, count])[..$limit] AS counts
UNWIND counts AS row
RETURN collect(row) AS rows
