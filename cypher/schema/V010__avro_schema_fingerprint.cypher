// The same schema has one id, whoever registers it under whatever subject.
CREATE CONSTRAINT avro_schema_fingerprint IF NOT EXISTS FOR (s:AvroSchema) REQUIRE s.fingerprint IS UNIQUE
