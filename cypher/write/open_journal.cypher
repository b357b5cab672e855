// Begin the journal, if there is none yet.
//
// returns  one row: journal, its identity
// index    lease (unique): MERGE seeks it
// note     REMOVE takes the node's write lock (see lock_entities), so that all get the same identity
MERGE (l:Lease {name: "journal"})
REMOVE l.lockedAt
SET l.journal = coalesce(l.journal, randomUUID())
RETURN l.journal AS journal
