// Keep facetValues of entities in step with properties that change: what stood for these goes, what stands now comes.
//
// rows     [[node, fields, values]]: [field] that change, and ["field=value"] for them
// order    [field] of all facets, in which their values stand, so that the graph is the same however changes arrive
// returns  nothing; the caller reads the counters
// index    none: node is an element id of this transaction (see lock_entities)
//
// :param rows => [["4:00000000-0000-0000-0000-000000000000:0", ["tags"], ["tags=urn:li:tag:a"]]]
// :param order => ["_entityType", "platform", "tags", "removed"]
UNWIND $rows AS row
MATCH (e) WHERE elementId(e) = row[0]
WITH e, row, coalesce(e.facetValues, []) AS before
SET e.facetValues = reduce(found = [], field IN $order | found + [
  value IN CASE WHEN field IN row[1] THEN row[2] ELSE before END WHERE value STARTS WITH field + "="])
