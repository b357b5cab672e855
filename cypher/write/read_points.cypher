// The values of points that a batch is about to write, where they exist.
//
// rows     [{index, urn, name, timestampMillis, messageId}]
// returns  one row: points, a list of [index, value (JSON text)] for the points that exist
// index    timeseries_point (unique)
//
// :param rows => [{index: 0, urn: "urn:li:tag:a", name: "operation", timestampMillis: 1, messageId: ""}]
UNWIND $rows AS row
MATCH (p:TimeseriesPoint {urn: row.urn, name: row.name, timestampMillis: row.timestampMillis, messageId: row.messageId})
RETURN collect([row.index, p.value]) AS points
