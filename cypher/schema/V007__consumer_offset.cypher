// How far a consumer group has come in a partition; written in the transaction that applies the records.
CREATE CONSTRAINT consumer_offset IF NOT EXISTS FOR (o:ConsumerOffset) REQUIRE (o.group, o.topic, o.partition) IS UNIQUE
