// Where the column lineage of some entities goes to: which of their neighbours it already covers.
//
// urns     [urn] of the entities whose columns are looked at
// limit    answers at most
// returns  one row: rows, [[urn, urn of a downstream column, declaredBy]], each once, in no order
// index    entity_urn (unique), by the prefix that all columns of an entity share
// note     __TYPES__ is replaced by names from the registry, joined by |
//
// :param urns => ["urn:li:dataset:a"]
// :param limit => 100
UNWIND $urns AS urn
MATCH (column:Entity) WHERE column.urn STARTS WITH "urn:li:schemaField:(" + urn + ","
MATCH (column)<-[edge:__TYPES__ {lineage: true}]-(far:SchemaField)
WITH DISTINCT urn, far.urn AS other, edge.declaredBy AS declaredBy LIMIT $limit
RETURN collect([urn, other, declaredBy]) AS rows
