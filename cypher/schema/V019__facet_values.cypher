// What facets count, in one property, so that a search reads it instead of ten properties one by one. New entities come
// with it. The fields are those of graphsvc/graph/projection.py, in their order.
MATCH (e:Entity) WHERE e.referencedOnly IS NULL AND e.facetValues IS NULL
CALL (e) {
  SET e.facetValues = [label IN labels(e) WHERE label <> "Entity" | "_entityType=" + label]
    + reduce(found = [], field IN [
        "platform", "origin", "typeNames", "tags", "glossaryTerms", "domains", "owners", "container"
      ] | found + [value IN coalesce(e[field] + [], []) | field + "=" + toString(value)])
    + ["removed=" + coalesce(e.removed, false)]
} IN TRANSACTIONS OF 10000 ROWS
