// Downstream of a dataset: what feels a change of it
//
// name     the dataset's name
// returns  paths of one edge: the downstream graph, at most 15 hops deep, down to dashboards and models
//
// :param name => "stg_orders"
MATCH (:Dataset {name: $name})
      <-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
         |DerivedFrom|TrainedBy|Uses|HasMember*0..15 {lineage: true}]-(node)
WITH DISTINCT node
MATCH path = (node)
      <-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
         |DerivedFrom|TrainedBy|Uses|HasMember {lineage: true}]-()
RETURN path
