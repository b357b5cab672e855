// The oldest records of the outbox: which they are, and how large.
//
// limit    records at most
// returns  one row: head, a list of [id, bytes] in the order of publishing
// index    outbox_order gives the order, so that the cost does not grow with the outbox
//
// :param limit => 1000
MATCH (o:Outbox)
WHERE o.order >= 0
WITH o
ORDER BY o.order
LIMIT $limit
RETURN collect([o.id, o.bytes]) AS head
