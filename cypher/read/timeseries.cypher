// Points of one timeseries aspect of entities within a range of time, newest first.
//
// urns     [urn]
// name     aspect name
// start    milliseconds, inclusive
// end      milliseconds, inclusive
// limit    points at most, per entity
// returns  one row: rows, [[urn, timestampMillis, messageId, value, systemMetadata, runId]]; value and systemMetadata are JSON text
// index    timeseries_point (unique) by urn, name and a range of timestampMillis
// note     `messageId IS NOT NULL` is true of every point; without it the planner does not use the composite index
//
// :param urns => ["urn:li:dataset:a"]
// :param name => "operation"
// :param start => 0
// :param end => 9223372036854775807
// :param limit => 10
UNWIND $urns AS urn
CALL (urn) {
  MATCH (point:TimeseriesPoint {urn: urn, name: $name})
  WHERE $start <= point.timestampMillis <= $end AND point.messageId IS NOT NULL
  RETURN point ORDER BY point.timestampMillis DESC, point.messageId DESC LIMIT $limit
}
RETURN collect([urn, point.timestampMillis, point.messageId, point.value, point.systemMetadata, point.runId]) AS rows
