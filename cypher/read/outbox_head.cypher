// The oldest chunks of the outbox: which they are, and how much is in them.
//
// kinds    ["changes", "letters"], or one of them
// limit    chunks at most
// returns  one row: head, a list of [id, order, count, bytes] in order
// index    outbox_order gives the order, so that the cost does not grow with the outbox
//
// :param kinds => ["changes"]
// :param limit => 100
MATCH (o:Outbox)
WHERE o.order >= 0 AND o.kind IN $kinds
WITH o
ORDER BY o.order
LIMIT $limit
RETURN collect([o.id, o.order, o.count, o.bytes]) AS head
