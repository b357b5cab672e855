// Deprecated tables still in use
//
// returns  paths from each deprecated thing to what still reads it, and its owners
MATCH read = (old:Entity {deprecated: true})
      <-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
         |DerivedFrom|TrainedBy|Uses|HasMember {lineage: true}]-(reader)
WHERE NOT coalesce(reader.removed, false)
OPTIONAL MATCH owned = (reader)-[:OwnedBy]->()
RETURN read, owned
