// The subjects and versions that have a schema.
//
// id       its id, from 1
// returns  subject, version, by subject and version
// index    avro_schema (unique)
//
// :param id => 1
MATCH (:AvroSchema {id: $id})<-[:HAS_SCHEMA]-(version:SchemaVersion)
RETURN version.subject AS subject, version.version AS version
ORDER BY subject, version
