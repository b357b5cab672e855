// Put records into the outbox, from which the relay publishes them: many to a node, since a node each costs more than
// the write that it announces.
//
// rows     [{id, order, kind, count, bytes, at, records}] (graph/records.py); records is JSON text in zlib's form, as bytes
// returns  nothing; the caller reads the counters
// index    none needed: only CREATE
//
// :param rows => [{id: "1-a", order: 1, kind: "changes", count: 1, bytes: 2, at: 1, records: "as bytes"}]
UNWIND $rows AS row
CREATE (o:Outbox)
SET o = row
