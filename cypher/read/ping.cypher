// Answer, to show that the database is there and lets us in.
//
// returns  one row: ok
// index    none: it reads nothing
RETURN true AS ok
