// What is known of entities at a glance.
//
// urns     [urn]; ones without a node are left out of the answer
// returns  one row: rows, [[urn, name, referencedOnly, removed]] in the order of urns
// index    entity_urn (unique)
// note     every reading query collects its rows into one: a row by itself costs the driver about 0.1 ms
//
// :param urns => ["urn:li:tag:a", "urn:li:tag:b"]
UNWIND $urns AS urn
MATCH (entity:Entity {urn: urn})
RETURN collect([entity.urn, entity.name, entity.referencedOnly, entity.removed]) AS rows
