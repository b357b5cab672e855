// Changes of the journal in full.
//
// after    the number before the first one
// until    the number of the last one
// returns  one row: changes, a list of their properties
// index    change_number (unique)
//
// :param after => 0
// :param until => 500
MATCH (c:Change)
WHERE c.number > $after AND c.number <= $until
RETURN collect(properties(c)) AS changes
