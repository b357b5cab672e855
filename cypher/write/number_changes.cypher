// Put chunks of changes from the outbox into the journal, under the numbers that follow.
//
// ids      [id] in the order of the numbers; those that another has numbered meanwhile are left out
// returns  nothing where no id is left; else one row: last, the number of the last change
// index    lease (unique), outbox_id (unique)
// note     A chunk has the number of its last change, and so the `count` numbers up to it. REMOVE takes the lease's write
//          lock (see lock_entities): numbers are given one transaction at a time, without a gap. A reader may see a part
//          of a transaction that is being committed, so it stops where a number is missing
//
// :param ids => ["1-a"]
MATCH (l:Lease {name: "journal"})
REMOVE l.lockedAt
WITH l, coalesce(l.last, 0) AS last
UNWIND range(0, size($ids) - 1) AS place
MATCH (o:Outbox {id: $ids[place]})
WITH l, last, o, place
ORDER BY place
WITH l, last, collect(o) AS found
UNWIND range(0, size(found) - 1) AS place
WITH l, found[place] AS o, reduce(number = last, chunk IN found[..place + 1] | number + chunk.count) AS number
REMOVE o:Outbox
SET o:Change, o.number = number
WITH l, max(number) AS last
SET l.last = last
RETURN last
