// What a run wrote: entities and aspects whose current value comes from it
//
// runId    the run, as `datahub ingest` prints it
// returns  one row per entity: type, name, its aspects from this run, those of them that replaced an older value
//
// :param runId => "retail-example"
MATCH (entity:Entity)-[:HAS_ASPECT]->(aspect:Aspect {runId: $runId})
RETURN [label IN labels(entity) WHERE label <> "Entity"][0] AS type,
       entity.name AS name,
       collect(aspect.name) AS wrote,
       [a IN collect(aspect) WHERE a.version > 1 | a.name] AS replaced
ORDER BY type, name
