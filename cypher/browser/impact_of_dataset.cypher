// Impact of a dataset: a list to walk through before changing it
//
// name     the dataset's name
// returns  one row per thing downstream: hops (the shortest way), type, name, owners; nearest first
//
// :param name => "orders.v1"
MATCH way = (changed:Dataset {name: $name})
      <-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
         |DerivedFrom|TrainedBy|Uses|HasMember*1..15 {lineage: true}]-(broken)
WITH broken, min(length(way)) AS hops
RETURN hops,
       [label IN labels(broken) WHERE label <> "Entity"][0] AS type,
       broken.name AS name,
       COLLECT { MATCH (broken)-[:OwnedBy]->(owner) RETURN DISTINCT owner.name ORDER BY owner.name } AS owners
ORDER BY hops, type, name
