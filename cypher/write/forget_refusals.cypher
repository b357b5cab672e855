// Take out refusals that are old.
//
// before   milliseconds: what was noted earlier goes
// limit    at most so many at a time
// returns  nothing; the caller reads the counters
// index    refusal_at
//
// :param before => 1
// :param limit => 10000
MATCH (r:Refusal)
WHERE r.at < $before
WITH r LIMIT $limit
DELETE r
