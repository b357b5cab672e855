// The best of the entities that match a text and filters, with what one counts of them all.
//
// texts    [a Lucene query], or none: then prefixes are used
// prefixes [what URNs start with]
// removed  soft-deleted ones too
// types    [what URNs start with], or null for all
// groups   [[{field, op, values, texts, negated}]]: in one of them all conditions hold; texts are the values in lower case
// most     entities that are looked at; those behind them are not counted
// ranked   whether the best come first, by names, words and letters; else the order is that of the URNs
// names    [ways to write the text as a name, in lower case]: who is called so comes first
// words    [" " + what words of a name begin with]: then who has more of them in the name, and less else, counts for more
// letters  of the words together
// start    entities to leave out
// count    entities at most
// fields   [property] to bring along, where it is there
// facets   [field] whose values are counted; _entityType stands for the label
// others   [property] those of them that facetValues does not hold, each of which is a read of its own
// limit    values of a facet at most
// returns  one row: rows, [[urn, name, score, null, [[field, value]]]]; total; facets, [[field, value, count]], those of a
//          field together, the most frequent first, then by value
// index    entity_search (full-text) for texts, else a range of entity_urn (unique)
// note     The index gives the best first, so that a limit cuts the worst. All are sorted, then collected. Sorting an UNWIND of the list would keep the list with each row of the page,
//          which runs out of memory. A property is read once, as a read walks along the node's properties
//
// :param texts => ["nameWords:orders"]
// :param prefixes => []
// :param removed => false
// :param types => ["urn:li:dataset:"]
// :param groups => [[{field: "origin", op: "EQUAL", values: ["PROD"], texts: ["prod"], negated: false}]]
// :param most => 100001
// :param ranked => true
// :param names => ["orders"]
// :param words => [" order"]
// :param letters => 6
// :param start => 0
// :param count => 10
// :param fields => ["description"]
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
WITH node, score, node.urn AS urn, CASE WHEN $ranked THEN toLower(node.name) END AS name,
  CASE WHEN $ranked THEN toLower(node.id) END AS id, CASE WHEN $ranked THEN node.origin END AS origin,
  CASE WHEN $ranked THEN size([word IN $words WHERE (" " + node.nameWords) CONTAINS word]) END AS found
WITH node, urn, CASE WHEN name IN $names OR id IN $names THEN 1 ELSE 0 END AS called, CASE WHEN NOT $ranked THEN 0.0 ELSE
  score * (1 + 2.0 * found / size($words)
  + CASE WHEN found = 0 THEN 0 WHEN coalesce(size(name), 0) <= $letters THEN 1 ELSE 1.0 * $letters / size(name) END
  + CASE WHEN origin IS NULL OR origin = "PROD" THEN 0.1 ELSE 0 END) END AS score
ORDER BY called DESC, score DESC, urn
WITH collect(node) AS nodes, collect(score)[$start..][..$count] AS scores
CALL (nodes) {
  UNWIND CASE $facets WHEN [] THEN [] ELSE nodes END AS node
  UNWIND coalesce(node.facetValues, []) + reduce(found = [], field IN $others | found
    + [value IN coalesce(node[field] + [], []) | field + "=" + toString(value)]) AS facet
  WITH facet, count(*) AS count
  WITH split(facet, "=")[0] AS field, facet, count WHERE field IN $facets
  WITH field, substring(facet, size(field) + 1) AS value, count ORDER BY count DESC, value
  WITH field, collect([field, value, count])[..$limit] AS counts
  UNWIND counts AS row
  RETURN collect(row) AS facets
}
WITH nodes, scores, facets, nodes[$start..][..$count] AS page
RETURN {total: size(nodes), facets: facets, rows: [at IN range(0, size(page) - 1) |
  [page[at].urn, page[at].name, scores[at], null, [f IN $fields WHERE page[at][f] IS NOT NULL | [f, page[at][f]]]]]} AS found
