// Used but undocumented or unowned: where an hour of writing helps most
//
// returns  one row per dataset that is read by something and lacks a description or an owner; most readers first
MATCH (dataset:Dataset)
WHERE dataset.referencedOnly IS NULL
  AND NOT coalesce(dataset.removed, false)
WITH dataset,
     COUNT { (dataset)
           <-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
              |DerivedFrom|TrainedBy|Uses|HasMember {lineage: true}]-() } AS readers,
     dataset.description IS NOT NULL AS described,
     EXISTS { (dataset)-[:OwnedBy]->(owner) WHERE owner.referencedOnly IS NULL } AS owned
WHERE readers > 0 AND NOT (described AND owned)
RETURN dataset.name AS name, readers, described, owned, dataset.urn AS urn
ORDER BY readers DESC, name
