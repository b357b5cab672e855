// Recently changed: the newest writes, whoever made them
//
// top      how many
// returns  one row per aspect: when, type and name of the entity, aspect, version, actor, run
//
// :param top => 50
MATCH (entity:Entity)-[:HAS_ASPECT]->(aspect:Aspect)
WITH entity, aspect
ORDER BY aspect.createdAt DESC, entity.urn, aspect.name
LIMIT toInteger($top)
RETURN datetime({epochMillis: aspect.createdAt}) AS writtenAt,
       [label IN labels(entity) WHERE label <> "Entity"][0] AS type,
       entity.name AS name,
       aspect.name AS aspect,
       aspect.version AS version,
       aspect.createdBy AS writtenBy,
       aspect.runId AS runId
