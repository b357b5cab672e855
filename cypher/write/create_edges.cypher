// Create edges of one type between nodes that exist. The caller knows that the edges are not there yet.
//
// rows     [[source, target, aspect, declaredBy, lineage, createdOn, createdActor, updatedOn, updatedActor, via, mirrorOf,
//          properties, transformOperation, confidenceScore]], in one order over all writers: by the URNs of target and source
// at       when they are made, in milliseconds
// returns  nothing. Where there are fewer edges than rows, another writer has removed an end node: the query then fails by
//          a division by zero, since nobody reads what it returns before the commit
// index    none: source and target are element ids of this transaction (see lock_entities); seeks by URN cost twice as much
// note     __EDGE_TYPE__ is replaced by a name from the registry. Lists and written-out properties take two thirds of the time
//          of maps and SET
//
// :param rows => [["4:00000000-0000-0000-0000-000000000000:0", "4:00000000-0000-0000-0000-000000000000:1", "upstreamLineage", "urn:li:tag:a"]]
// :param at => 1
UNWIND $rows AS row
MATCH (source) WHERE elementId(source) = row[0]
MATCH (target) WHERE elementId(target) = row[1]
CREATE (source)-[:__EDGE_TYPE__ {
  aspect: row[2], declaredBy: row[3], lineage: row[4], createdOn: row[5], createdActor: row[6], updatedOn: row[7],
  updatedActor: row[8], via: row[9], mirrorOf: row[10], properties: row[11], transformOperation: row[12],
  confidenceScore: row[13], since: $at
}]->(target)
WITH size($rows) - count(*) AS missing
WHERE missing > 0
RETURN missing / 0
