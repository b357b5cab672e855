// The text of a schema.
//
// id       its id, from 1
// returns  text; no row if there is no such schema
// index    avro_schema (unique)
//
// :param id => 1
MATCH (schema:AvroSchema {id: $id})
WHERE schema.text IS NOT NULL
RETURN schema.text AS text
