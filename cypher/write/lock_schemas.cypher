// Make registrations wait for each other, on all replicas, until the transaction ends.
//
// returns  nothing
// index    avro_schema (unique)
MERGE (counter:AvroSchema {id: 0})
SET counter.lockedAt = timestamp()
