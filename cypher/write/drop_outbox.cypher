// Take published chunks out of the outbox.
//
// ids      [id]
// returns  nothing; the caller reads the counters
// index    outbox_id (unique)
//
// :param ids => ["1-a-0"]
UNWIND $ids AS id
MATCH (o:Outbox {id: id})
DELETE o
