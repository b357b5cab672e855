// The steps that lead on from a browse path, and who stands there, among the entities that match a text and filters.
//
// texts    [a Lucene query], or none: then prefixes are used
// prefixes [what URNs start with]
// removed  soft-deleted ones too
// types    [what URNs start with], or null for all
// groups   [[{field, op, values, texts, negated}]]: in one of them all conditions hold; texts are the values in lower case
// path     [step], the outermost first; a container is its URN
// older    go by browsePaths where an entity has some, and bring those at the path
// start    steps, and behind them entities at the path, to leave out, in the order of the answer
// count    steps and entities at most
// returns  one row: found, [steps in all, entities at the path or below, [[step, entities, whether steps lead on]], entities
//          at the path, [[urn, name]]], the most frequent steps first, then by step; entities by URN
// index    entity_search (full-text) for texts, else a range of entity_urn (unique); then the containers of each entity
//
// :param texts => ["nameWords:orders"]
// :param prefixes => []
// :param removed => false
// :param types => ["urn:li:dataset:"]
// :param groups => [[{field: "origin", op: "EQUAL", values: ["PROD"], texts: ["prod"], negated: false}]]
// :param path => ["urn:li:container:a"]
// :param older => false
// :param start => 0
// :param count => 10
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
WITH node, $older AND node.browsePaths IS NOT NULL AS older
CALL (node, older) {
  WITH node, older WHERE older
  UNWIND node.browsePaths AS path
  RETURN [step IN split(path, "/") WHERE step <> ""] AS steps
 UNION
  WITH node, older WHERE NOT older AND node.browsePathV2 IS NOT NULL
  RETURN node.browsePathV2 AS steps
 UNION
  WITH node, older WHERE NOT older AND node.browsePathV2 IS NULL
  MATCH way = (node)-[:IsPartOf*1..20 {aspect: "container"}]->(top:Entity)
  WHERE NOT EXISTS { (top)-[:IsPartOf {aspect: "container"}]->() }
  RETURN [above IN reverse(tail(nodes(way))) | above.urn] AS steps LIMIT 1
}
WITH node, steps WHERE steps[..size($path)] = $path
WITH count(DISTINCT node) AS entities, collect(steps) AS ways,
  collect(CASE WHEN $older AND size(steps) = size($path) THEN node END) AS here
CALL (ways) {
  UNWIND ways AS steps
  WITH steps WHERE size(steps) > size($path)
  WITH steps[size($path)] AS step, count(*) AS number, max(size(steps)) > size($path) + 1 AS leadsOn
  ORDER BY number DESC, step
  RETURN collect([step, number, leadsOn]) AS found
}
CALL (here) {
  UNWIND here AS node
  WITH node ORDER BY node.urn
  RETURN collect(node) AS there
}
WITH found, entities, there, found[$start..][..$count] AS steps, CASE WHEN $start > size(found) THEN $start - size(found) ELSE 0 END AS skipped
RETURN [size(found), entities, steps, size(there), [node IN there[skipped..][..$count - size(steps)] | [node.urn, node.name]]] AS found
