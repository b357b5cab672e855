// How many records wait in the outbox.
//
// returns  one row: depth
// index    outbox_order; one entry per chunk of up to 500 records
MATCH (o:Outbox)
WHERE o.order >= 0
RETURN coalesce(sum(o.count), 0) AS depth
