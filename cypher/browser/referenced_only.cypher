// Referred to but never described: typing errors, people who left, sources nobody ingests
//
// returns  one row per entity that others point to and that has no aspects: type, name, who points to it.
//          Columns are left out: lineage names them, and only their dataset describes them
MATCH (unknown:Entity {referencedOnly: true})
WHERE NOT unknown:SchemaField
MATCH (unknown)<-[edge]-(other:Entity)
RETURN [label IN labels(unknown) WHERE label <> "Entity"][0] AS type,
       unknown.name AS name,
       collect(DISTINCT type(edge)) AS edges,
       collect(DISTINCT other.name)[..10] AS neededBy,
       unknown.urn AS urn
ORDER BY type, name
