// Upstream of a dataset: everything it is made from
//
// name     the dataset's name
// returns  paths of one edge: the upstream graph, at most 15 hops deep, jobs included
//
// :param name => "mart_daily_revenue"
MATCH (:Dataset {name: $name})
      -[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
        |DerivedFrom|TrainedBy|Uses|HasMember*0..15 {lineage: true}]->(node)
WITH DISTINCT node
MATCH path = (node)
      -[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
        |DerivedFrom|TrainedBy|Uses|HasMember {lineage: true}]->()
RETURN path
