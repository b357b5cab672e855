// Properties of some entities, for filters and tables.
//
// urns     [urn]; ones without a node are left out of the answer
// fields   [name] of the properties
// returns  one row: rows, [[urn, [value per field]]], null where there is none, in the order of urns
// index    entity_urn (unique)
//
// :param urns => ["urn:li:dataset:a"]
// :param fields => ["platform", "owners"]
UNWIND $urns AS urn
MATCH (entity:Entity {urn: urn})
RETURN collect([urn, [field IN $fields | entity[field]]]) AS rows
