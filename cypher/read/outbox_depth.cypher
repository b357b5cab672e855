// How many records wait in the outbox.
//
// returns  one row: depth
// index    outbox_order; the count comes from the statistics, whatever the number
MATCH (o:Outbox)
RETURN count(o) AS depth
