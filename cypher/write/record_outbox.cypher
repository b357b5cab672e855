// Put records into the outbox, from which the relay publishes them.
//
// rows     [properties of an Outbox node]: id, order, bytes, topic, key, and what the record says
// returns  nothing; the caller reads the counters
// index    none needed: only CREATE
//
// :param rows => [{id: "1-a-0", order: 1, bytes: 2, kind: "versioned", urn: "urn:li:tag:a", aspect: "status", value: "{}"}]
UNWIND $rows AS row
CREATE (o:Outbox)
SET o = row
