// How data get from one dataset to another: the ways, with the jobs on them
//
// upstream    name of the dataset where they start
// downstream  name of the dataset where they arrive
// returns     at most 25 paths of at most 15 hops, shortest first
//
// :param upstream => "orders.v1"
// :param downstream => "mart_daily_revenue"
MATCH path = SHORTEST 25
      (:Dataset {name: $downstream})
            -[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
              |DerivedFrom|TrainedBy|Uses|HasMember {lineage: true}]->{1,15}(:Dataset {name: $upstream})
RETURN path
