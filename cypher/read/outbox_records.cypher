// Chunks of the outbox in full.
//
// ids      [id]
// returns  one row: chunks, a list of their properties
// index    outbox_id (unique)
//
// :param ids => ["1-a"]
UNWIND $ids AS id
MATCH (o:Outbox {id: id})
RETURN collect(properties(o)) AS chunks
