// All subjects.
//
// returns  subject, by name
// index    schema_version (unique): a range of names, to which all belong
MATCH (version:SchemaVersion)
WHERE version.subject >= "" AND version.version = 1
RETURN version.subject AS subject
ORDER BY subject
