// Avro schemas by the id that stands in a Kafka record; 0 is no schema but the last id that was given.
CREATE CONSTRAINT avro_schema IF NOT EXISTS FOR (s:AvroSchema) REQUIRE s.id IS UNIQUE
