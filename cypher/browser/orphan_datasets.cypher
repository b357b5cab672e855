// Orphan datasets: no lineage in or out, so perhaps nobody needs them
//
// returns  one row per dataset: name, platform, owners, URN; deleted and never described ones are left out
MATCH (dataset:Dataset)
WHERE dataset.referencedOnly IS NULL
  AND NOT coalesce(dataset.removed, false)
  AND NOT EXISTS { (dataset)-[{lineage: true}]-() }
RETURN dataset.name AS name,
       split(split(dataset.urn, ",")[0], ":")[-1] AS platform,
       COLLECT { MATCH (dataset)-[:OwnedBy]->(owner) RETURN DISTINCT owner.name } AS owners,
       dataset.urn AS urn
ORDER BY name
