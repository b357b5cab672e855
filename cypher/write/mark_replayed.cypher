// Note that dead letters were put back on their topic.
//
// ids      [id]
// returns  nothing; the caller reads the counters
// index    replayed_letter (unique): MERGE seeks it
//
// :param ids => ["failed-MetadataChangeProposal_v1-0-7"]
UNWIND $ids AS id
MERGE (l:ReplayedLetter {id: id})
SET l.at = timestamp()
