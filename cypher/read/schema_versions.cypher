// The versions of a subject.
//
// subject  its name
// returns  version, id, text, fingerprint, the newest last; no row if there is no such subject
// index    schema_version (unique)
//
// :param subject => "MetadataChangeProposal_v1-value"
MATCH (version:SchemaVersion {subject: $subject})
WHERE version.version >= 1
MATCH (version)-[:HAS_SCHEMA]->(schema:AvroSchema)
RETURN version.version AS version, schema.id AS id, schema.text AS text, schema.fingerprint AS fingerprint
ORDER BY version
