// Take a lease, or keep it: the work goes to one process at a time, and to another when that one is gone.
//
// name     what the lease is for
// holder   who asks
// ttl      how long it holds, in milliseconds
// returns  one row: mine, whether the caller holds it now
// index    lease (unique): MERGE seeks it
// note     REMOVE takes the node's write lock (see lock_entities). The clock is the server's alone
//
// :param name => "relay"
// :param holder => "a"
// :param ttl => 10000
MERGE (l:Lease {name: $name})
REMOVE l.lockedAt
WITH l, coalesce(l.holder = $holder OR l.until < timestamp(), true) AS mine
FOREACH (_ IN CASE WHEN mine THEN [1] ELSE [] END | SET l.holder = $holder, l.until = timestamp() + $ttl)
RETURN mine
