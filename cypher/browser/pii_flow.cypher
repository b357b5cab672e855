// Where one PII column flows, as a graph
//
// name     name of the dataset where the data enter
// column   path of the column in it
// returns  paths of one edge between columns, at most 15 hops down
//
// :param name => "customers.v1"
// :param column => "email"
MATCH (dataset:Dataset {name: $name})
MATCH (:Entity:SchemaField {urn: "urn:li:schemaField:(" + dataset.urn + "," + $column + ")"})
      <-[:DownstreamOf*0..15 {lineage: true}]-(reached)
WITH DISTINCT reached
MATCH path = (reached)<-[:DownstreamOf {lineage: true}]-(:SchemaField)
RETURN path
