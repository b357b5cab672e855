// Give a schema its id, and make it the subject's newest version if the subject does not have it.
//
// subject      name of the subject
// fingerprint  of the schema
// text         the schema, as it came
// returns      one row: id
// index        avro_schema (unique), avro_schema_fingerprint (unique), schema_version (unique)
// note         the write to `lockedAt` makes registrations wait for each other, on all replicas; only then are the last
//              id and the subject's versions read
//
// :param subject => "MetadataChangeProposal_v1-value"
// :param fingerprint => "ab12"
// :param text => "\"string\""
MERGE (counter:AvroSchema {id: 0})
SET counter.lockedAt = timestamp()
WITH counter
MERGE (schema:AvroSchema {fingerprint: $fingerprint})
ON CREATE SET counter.last = coalesce(counter.last, 0) + 1, schema.id = counter.last, schema.text = $text
WITH schema
OPTIONAL MATCH (known:SchemaVersion {subject: $subject}) WHERE known.version >= 1
WITH schema, coalesce(max(known.version), 0) AS newest, count(CASE WHEN known.id = schema.id THEN 1 END) AS there
FOREACH (ignored IN CASE WHEN there = 0 THEN [1] ELSE [] END |
  CREATE (:SchemaVersion {subject: $subject, version: newest + 1, id: schema.id})-[:HAS_SCHEMA]->(schema)
)
RETURN schema.id AS id
