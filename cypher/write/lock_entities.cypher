// Bring entities into being, lock them, and read the aspects which the batch is about to write.
//
// rows     [{index, urn, aspects}], sorted by urn; aspects null asks for all
// returns  one row: states, a list of [index, name, version, value, system, createdAt, deleted], one per aspect found;
//          known, the indexes of entities which somebody has described; and now, the server's clock in microseconds
//          when all locks were held. One row, since each costs the driver time
// index    entity_urn (unique): MERGE seeks it
// note     REMOVE of a property takes the node's write lock even though no entity has it, so a second writer waits here
//          and then reads what the first one committed. The database must know the property's name, else REMOVE does
//          nothing at all: `lockedAt` stands on the :MigrationLock node, which is there before the first write.
//          A new node is bare: add_aspects or describe_ends gives it its label and name, or drop_loose takes it away
//
// :param rows => [{index: 0, urn: "urn:li:tag:a", aspects: ["status"]}]
UNWIND $rows AS row
MERGE (e:Entity {urn: row.urn})
REMOVE e.lockedAt
WITH collect(CASE WHEN e.name IS NOT NULL AND e.referencedOnly IS NULL THEN {index: row.index, node: e, aspects: row.aspects} END) AS described
CALL (described) {
  UNWIND described AS entity
  WITH entity.index AS index, entity.node AS e, entity.aspects AS aspects
  MATCH (e)-[has:HAS_ASPECT|HAD_ASPECT]->(a)
  WHERE aspects IS NULL OR a.name IN aspects
  RETURN collect([index, a.name, a.version, a.value, a.systemMetadata, a.createdAt, type(has) = "HAD_ASPECT"]) AS states
}
WITH states, [entity IN described | entity.index] AS known, datetime.realtime() AS now
RETURN states, known, now.epochSeconds * 1000000 + now.microsecond AS now
