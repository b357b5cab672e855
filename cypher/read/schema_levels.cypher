// How new versions of a subject have to be to the older ones.
//
// subject  its name
// returns  one row: general, the level of all subjects, and own, the subject's; null where nothing is set
// index    avro_schema (unique), schema_version (unique)
// note     the general level stands on the counter of ids, a subject's own on a version 0
//
// :param subject => "MetadataChangeProposal_v1-value"
OPTIONAL MATCH (counter:AvroSchema {id: 0})
OPTIONAL MATCH (own:SchemaVersion {subject: $subject, version: 0})
RETURN counter.compatibility AS general, own.compatibility AS own
