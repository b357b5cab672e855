// Replaced versions of an aspect, found by number. The current ones hang on their entity and need no index.
CREATE CONSTRAINT aspect_version IF NOT EXISTS FOR (v:AspectVersion) REQUIRE (v.urn, v.name, v.version) IS UNIQUE
