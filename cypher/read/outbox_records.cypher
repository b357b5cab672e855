// Records of the outbox in full.
//
// ids      [id]
// returns  one row: records, a list of their properties
// index    outbox_id (unique)
//
// :param ids => ["1-a-0"]
UNWIND $ids AS id
MATCH (o:Outbox {id: id})
RETURN collect(properties(o)) AS records
