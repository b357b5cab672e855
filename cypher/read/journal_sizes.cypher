// Which changes of a range the journal has, and how large they are.
//
// after    the number before the range
// until    the last number of the range
// returns  one row: sizes, a list of [number, bytes, at] in order; at in milliseconds
// index    change_number (unique)
//
// :param after => 0
// :param until => 500
MATCH (c:Change)
WHERE c.number > $after AND c.number <= $until
WITH c
ORDER BY c.number
RETURN collect([c.number, c.bytes, c.at]) AS sizes
