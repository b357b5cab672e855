// Platform resources with given values, which sources look up to map one tool's users to another's.
//
// all       whether every condition must hold; else one is enough
// conditions [{field, value, many}]: the entity property is the value or, where many, holds it
// returns   one row: rows, [urn] sorted; soft-deleted ones and mere references are left out
// index     the label: the cost grows with the platform resources, which are few, not with the graph
//
// :param all => true
// :param conditions => [{field: "resourceType", value: "USER_ID_MAPPING", many: false}]
MATCH (entity:PlatformResource)
WHERE NOT coalesce(entity.removed, false) AND NOT coalesce(entity.referencedOnly, false)
WITH entity, [condition IN $conditions WHERE
  CASE WHEN condition.many THEN condition.value IN coalesce(entity[condition.field], [])
       ELSE entity[condition.field] = condition.value END] AS held
WHERE CASE WHEN $all THEN size(held) = size($conditions) ELSE size(held) > 0 END
WITH entity.urn AS urn ORDER BY urn
RETURN collect(urn) AS rows
