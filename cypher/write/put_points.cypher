// Write points of timeseries aspects.
//
// rows     [{urn, name, timestampMillis, messageId, properties}]
// returns  nothing; the caller reads the counters
// index    timeseries_point (unique): MERGE seeks it
//
// :param rows => [{urn: "urn:li:tag:a", name: "operation", timestampMillis: 1, messageId: "", properties: {value: "{}"}}]
UNWIND $rows AS row
MERGE (p:TimeseriesPoint {urn: row.urn, name: row.name, timestampMillis: row.timestampMillis, messageId: row.messageId})
SET p += row.properties
