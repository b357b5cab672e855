// PII columns and where they flow
//
// tag      name of the tag on the columns
// returns  one row per tagged column: table, column, and the columns which are made from it (at most 15 hops)
// note     column tags stand in the schema aspect, so their column is cut out of its JSON text
//
// :param tag => "PII"
MATCH (tag:Tag {name: $tag})<-[tagged:SchemaFieldTaggedWith|EditableSchemaFieldTaggedWith]-(table:Dataset)
WITH DISTINCT tag, table, tagged.aspect AS aspect
MATCH (table)-[:HAS_ASPECT]->(schema:Aspect {name: aspect})
UNWIND tail(split(schema.value, '"fieldPath":')) AS field
WITH tag, table, field
WHERE field CONTAINS '"' + tag.urn + '"'
WITH DISTINCT table, split(field, '"')[1] AS column
OPTIONAL MATCH (source:Entity:SchemaField {urn: "urn:li:schemaField:(" + table.urn + "," + column + ")"})
RETURN table.name AS table,
       column,
       COLLECT {
         MATCH (source)<-[:DownstreamOf*1..15 {lineage: true}]-(target)
         WITH DISTINCT target
         RETURN replace(split(target.urn, ",")[1], ")", "") + "/" + target.name AS flow
         ORDER BY flow
       } AS flowsInto
ORDER BY size(flowsInto) DESC, table, column
