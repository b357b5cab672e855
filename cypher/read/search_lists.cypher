// Several lists of entities at once, each in the order of the URNs, with what one counts of them all.
//
// requests [{at, texts, urns, field, value}]: entities that [a Lucene query] finds and whose field holds the value, or
//          those with some URNs; at tells the answers apart
// most     entities of a list that are looked at; those behind them are not counted
// start    entities to leave out, per list
// count    entities at most, per list
// facets   [field] whose values are counted; _entityType stands for the label
// others   [property] those of them that facetValues does not hold, each of which is a read of its own
// limit    values of a facet at most
// returns  one row: rows, [[at, [[urn, name]], total, [[field, value, count]]]], facets by field, the most frequent first,
//          then by value. Soft-deleted entities and those that nobody described are left out
// index    entity_search (full-text) for texts, entity_urn (unique) for urns
//
// :param requests => [{at: 0, texts: ["domains:\"urn:li:domain:a\""], urns: [], field: "domains", value: "urn:li:domain:a"}]
// :param most => 100001
// :param start => 0
// :param count => 10
// :param facets => ["platform"]
// :param others => []
// :param limit => 20
CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()
UNWIND $requests AS request
CALL (request) {
  CALL (request) {
    UNWIND request.texts AS text
    CALL db.index.fulltext.queryNodes("entity_search", text) YIELD node
    RETURN node
   UNION ALL
    UNWIND request.urns AS urn
    MATCH (node:Entity {urn: urn})
    RETURN node
  }
  WITH request, node
  WHERE node.referencedOnly IS NULL AND (node.removed IS NULL OR node.removed = false)
    AND (request.field IS NULL OR request.value IN node[request.field] + [])
  WITH node LIMIT $most
  WITH node ORDER BY node.urn
  WITH collect(node) AS nodes
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
  RETURN [node IN nodes[$start..][..$count] | [node.urn, node.name]] AS page, size(nodes) AS total, facets
}
RETURN collect([request.at, page, total, facets]) AS rows
