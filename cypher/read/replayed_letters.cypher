// Which of these dead letters were replayed, and when.
//
// ids      [id]
// returns  one row: replayed, a list of [id, at]; at in milliseconds, of the last time
// index    replayed_letter (unique)
//
// :param ids => ["failed-MetadataChangeProposal_v1-0-7"]
UNWIND $ids AS id
MATCH (l:ReplayedLetter {id: id})
RETURN collect([l.id, l.at]) AS replayed
