// What a subject's versions are; each subject has version 1.
CREATE CONSTRAINT schema_version IF NOT EXISTS FOR (v:SchemaVersion) REQUIRE (v.subject, v.version) IS UNIQUE
