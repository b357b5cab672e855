// Take the oldest changes out of the journal.
//
// until    the number of the last one to go
// returns  nothing; the caller reads the counters
// index    lease (unique), change_number (unique)
//
// :param until => 0
MATCH (l:Lease {name: "journal"})
SET l.trimmed = $until
WITH l
MATCH (c:Change)
WHERE c.number <= $until
DELETE c
