// How often each value of some fields occurs among the entities that match a text and filters.
//
// texts    [a Lucene query], or none: then prefixes are used
// prefixes [what URNs start with]
// removed  soft-deleted ones too
// types    [what URNs start with], or null for all
// groups   [[{field, op, values, texts, negated}]]: in one of them all conditions hold; texts are the values in lower case
// most     entities that are looked at; those behind them are not counted
// facets   [field] whose values are counted; _entityType stands for the label
// others   [property] those of them that facetValues does not hold, each of which is a read of its own
// limit    values of a facet at most
// returns  one row: rows, [[field, value, count]], by field, the most frequent first, then by value
// index    entity_search (full-text) for texts, else a range of entity_urn (unique)
//
// :param texts => ["nameWords:orders"]
// :param prefixes => []
// :param removed => false
// :param types => ["urn:li:dataset:"]
// :param groups => [[{field: "origin", op: "EQUAL", values: ["PROD"], texts: ["prod"], negated: false}]]
// :param most => 100001
// :param facets => ["platform"]
// :param others => []
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
UNWIND coalesce(node.facetValues, []) + reduce(found = [], field IN $others | found
  + [value IN coalesce(node[field] + [], []) | field + "=" + toString(value)]) AS facet
WITH facet, count(*) AS count
WITH split(facet, "=")[0] AS field, facet, count WHERE field IN $facets
WITH field, substring(facet, size(field) + 1) AS value, count ORDER BY count DESC, value
WITH field, collect([field, value, count])[..$limit] AS counts
UNWIND counts AS row
RETURN collect(row) AS rows
