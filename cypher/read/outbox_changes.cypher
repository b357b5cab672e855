// The oldest changes of the outbox; dead letters are left out.
//
// limit    changes at most
// returns  one row: changes, a list of [id, urn, order] in the order of publishing
// index    outbox_order gives the order, so that the cost does not grow with the outbox
//
// :param limit => 1000
MATCH (o:Outbox)
WHERE o.order >= 0 AND o.kind <> "failed"
WITH o
ORDER BY o.order
LIMIT $limit
RETURN collect([o.id, o.urn, o.order]) AS changes
