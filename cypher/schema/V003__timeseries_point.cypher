// Points of timeseries aspects, found by entity, aspect and a range of time.
CREATE CONSTRAINT timeseries_point IF NOT EXISTS
FOR (p:TimeseriesPoint) REQUIRE (p.urn, p.name, p.timestampMillis, p.messageId) IS UNIQUE
