// Column lineage as a table: each step from a column to its sources, with the transformation
//
// name     the dataset's name
// column   path of the column in it
// returns  one row per step: hops from the start, table and column written, table and column read, how
//
// :param name => "mart_daily_revenue"
// :param column => "margin"
MATCH (dataset:Dataset {name: $name})
MATCH way = (:Entity:SchemaField {urn: "urn:li:schemaField:(" + dataset.urn + "," + $column + ")"})
            -[:DownstreamOf*0..15 {lineage: true}]->(written)
WITH written, min(length(way)) + 1 AS hops
MATCH (written)-[step:DownstreamOf {lineage: true}]->(read:SchemaField)
RETURN hops,
       split(written.urn, ",")[1] + "/" + written.name AS written,
       split(read.urn, ",")[1] + "/" + read.name AS read,
       step.transformOperation AS how
ORDER BY hops, written, read
