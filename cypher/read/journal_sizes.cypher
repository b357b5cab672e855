// The journal's next chunks, and how much is in them.
//
// after    a number; chunks that end behind it
// limit    chunks at most
// returns  one row: sizes, a list of [number of the last change, count, bytes, at] in order; at in milliseconds
// index    change_number (unique) gives the order
//
// :param after => 0
// :param limit => 100
MATCH (c:Change)
WHERE c.number > $after
WITH c
ORDER BY c.number
LIMIT $limit
RETURN collect([c.number, c.count, c.bytes, c.at]) AS sizes
