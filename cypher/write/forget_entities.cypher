// Delete what is known about entities: aspects, versions, points, and the edges that they declared once.
// The node becomes one that is only referred to.
//
// rows     [{urn, properties}]: what the node says from then on
// returns  nothing; the caller reads the counters
// index    entity_urn, aspect_version, timeseries_point (unique), each by urn; past_edge_declared_by
//
// :param rows => [{urn: "urn:li:tag:a", properties: {urn: "urn:li:tag:a", name: "a", referencedOnly: true}}]
UNWIND $rows AS row
CALL (row) {
  MATCH (v:AspectVersion)
  WHERE v.urn = row.urn AND v.name IS NOT NULL AND v.version IS NOT NULL
  DETACH DELETE v
}
CALL (row) {
  MATCH (p:TimeseriesPoint)
  WHERE p.urn = row.urn AND p.name IS NOT NULL AND p.timestampMillis IS NOT NULL AND p.messageId IS NOT NULL
  DETACH DELETE p
}
CALL (row) {
  MATCH (p:PastEdge {declaredBy: row.urn})
  DELETE p
}
CALL (row) {
  MATCH (:Entity {urn: row.urn})-[:HAS_ASPECT]->(a:Aspect)
  DETACH DELETE a
}
MATCH (e:Entity {urn: row.urn})
SET e = row.properties
