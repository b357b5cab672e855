// Set how new versions of all subjects have to be to the older ones.
//
// level    Confluent's word
// returns  nothing
// index    avro_schema (unique)
//
// :param level => "BACKWARD"
MERGE (counter:AvroSchema {id: 0})
SET counter.compatibility = $level
