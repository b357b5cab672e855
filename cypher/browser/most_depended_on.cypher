// Most depended-on datasets: the ones to test first
//
// top      how many
// returns  the datasets with most readers (one hop), one row each; most things downstream (at most 15 hops) first
//
// :param top => 10
MATCH (dataset:Dataset)
WITH dataset, COUNT {
       (dataset)<-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
         |DerivedFrom|TrainedBy|Uses|HasMember {lineage: true}]-() } AS readers
WHERE readers > 0
ORDER BY readers DESC, dataset.name
LIMIT toInteger($top)
RETURN dataset.name AS name,
       readers,
       COUNT {
         MATCH (dataset)
               <-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
                  |DerivedFrom|TrainedBy|Uses|HasMember*1..15 {lineage: true}]-(other)
         RETURN DISTINCT other
       } AS downstream,
       dataset.urn AS urn
ORDER BY downstream DESC, name
