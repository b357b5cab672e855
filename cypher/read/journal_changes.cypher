// Chunks of the journal in full.
//
// after    a number
// until    the number of the last change of the last chunk
// returns  one row: chunks, a list of the properties of those that end behind `after`, and not behind `until`
// index    change_number (unique)
//
// :param after => 0
// :param until => 500
MATCH (c:Change)
WHERE c.number > $after AND c.number <= $until
RETURN collect(properties(c)) AS chunks
