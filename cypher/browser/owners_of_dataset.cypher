// Who owns a dataset, and who is in the owning groups
//
// name     the dataset's name
// returns  paths from the dataset to its owners, and from members to an owning group
//
// :param name => "mart_daily_revenue"
MATCH owned = (:Dataset {name: $name})-[:OwnedBy]->(owner)
OPTIONAL MATCH member = (owner)<-[:IsMemberOfGroup]-(:Corpuser)
RETURN owned, member
