// Who owns what breaks: whom to ask before changing a dataset
//
// name     the dataset's name
// returns  one row per owner: what they own downstream of it (at most 15 hops), most first;
//          owner is null for what nobody owns
//
// :param name => "int_orders_paid"
MATCH (:Dataset {name: $name})
      <-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
         |DerivedFrom|TrainedBy|Uses|HasMember*1..15 {lineage: true}]-(broken)
WITH DISTINCT broken
OPTIONAL MATCH (broken)-[:OwnedBy]->(owner)
RETURN owner.name AS owner,
       count(DISTINCT broken) AS things,
       collect(DISTINCT [label IN labels(broken) WHERE label <> "Entity"][0] + " " + broken.name) AS names
ORDER BY things DESC, owner
