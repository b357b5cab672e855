// Stale tables still in use: not written for a while, but somebody reads them
//
// days     a table is stale when its newest known write is older
// returns  one row per table: newest write, readers; oldest first. Tables which never told of a write are left out
//
// :param days => 90
MATCH (point:TimeseriesPoint {name: "operation"})
WITH point.urn AS urn, max(point.timestampMillis) AS written
WHERE written < timestamp() - toInteger($days) * 24 * 60 * 60 * 1000
MATCH (table:Entity:Dataset {urn: urn})
      <-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
         |DerivedFrom|TrainedBy|Uses|HasMember {lineage: true}]-(reader)
RETURN table.name AS table,
       datetime({epochMillis: written}) AS lastWrite,
       collect(DISTINCT [label IN labels(reader) WHERE label <> "Entity"][0] + " " + reader.name) AS readers
ORDER BY lastWrite
