// The journal: which one it is, and how far it goes.
//
// returns  one row: journal (its identity, null where there is none yet), last (number of its newest change) and
//          trimmed (number up to which changes are not kept any more)
// index    lease (unique)
OPTIONAL MATCH (l:Lease {name: "journal"})
RETURN l.journal AS journal, coalesce(l.last, 0) AS last, coalesce(l.trimmed, 0) AS trimmed
