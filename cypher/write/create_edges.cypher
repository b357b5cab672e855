// Create edges of one type between nodes that exist. The caller knows that the edges are not there yet.
//
// rows     [{source, target, properties}], sorted by target and source
// returns  nothing; the caller reads the counters: fewer edges than rows mean that another writer removed an end node
// index    entity_urn (unique), twice
// note     __EDGE_TYPE__ is replaced by a name from the registry
//
// :param rows => [{source: "urn:li:tag:a", target: "urn:li:tag:b", properties: {aspect: "upstreamLineage"}}]
UNWIND $rows AS row
MATCH (source:Entity {urn: row.source})
MATCH (target:Entity {urn: row.target})
CREATE (source)-[edge:__EDGE_TYPE__]->(target)
SET edge = row.properties
