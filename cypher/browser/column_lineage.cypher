// Column lineage: where a column comes from
//
// name     the dataset's name
// column   path of the column in it
// returns  paths of one edge between columns, at most 15 hops up
// note     a column's URN starts with its dataset's, so nothing is searched
//
// :param name => "mart_daily_revenue"
// :param column => "net_revenue"
MATCH (dataset:Dataset {name: $name})
MATCH (:Entity:SchemaField {urn: "urn:li:schemaField:(" + dataset.urn + "," + $column + ")"})
      -[:DownstreamOf*0..15 {lineage: true}]->(source)
WITH DISTINCT source
MATCH path = (source)-[:DownstreamOf {lineage: true}]->(:SchemaField)
RETURN path
