// Create edges of one type between nodes that exist. The caller knows that the edges are not there yet.
//
// rows     [{source, target, properties}], in one order over all writers: by the URNs of target and source
// returns  nothing; the caller reads the counters: fewer edges than rows mean that another writer removed an end node
// index    none: source and target are element ids of this transaction (see lock_entities); seeks by URN cost twice as much
// note     __EDGE_TYPE__ is replaced by a name from the registry
//
// :param rows => [{source: "4:00000000-0000-0000-0000-000000000000:0", target: "4:00000000-0000-0000-0000-000000000000:1", properties: {aspect: "upstreamLineage"}}]
UNWIND $rows AS row
MATCH (source) WHERE elementId(source) = row.source
MATCH (target) WHERE elementId(target) = row.target
CREATE (source)-[edge:__EDGE_TYPE__]->(target)
SET edge = row.properties
