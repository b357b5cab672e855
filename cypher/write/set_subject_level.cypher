// Set how new versions of a subject have to be to the older ones, whatever the general level.
//
// subject  its name
// level    Confluent's word; null for the general level again
// returns  nothing
// index    schema_version (unique)
//
// :param subject => "MetadataChangeProposal_v1-value"
// :param level => "BACKWARD"
MERGE (own:SchemaVersion {subject: $subject, version: 0})
SET own.compatibility = $level
