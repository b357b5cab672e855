// Bring entities and the ends of their edges into being, lock the entities, and read the aspects about to be written.
//
// rows     [[index, urn, aspects]], sorted by urn; aspects null asks for all, an empty list marks the end of an edge
// returns  one row: states, a list of [index, name, version, value, system, createdAt, deleted], one per aspect found;
//          known, the indexes of entities which somebody has described; bare, the indexes of those that have only a URN;
//          nodes, the element id for each row; and now, the server's clock in microseconds when all locks were held. One row, since each costs the driver time
// index    entity_urn (unique): MERGE seeks it
// note     REMOVE of a property takes the node's write lock even though no entity has it, so a second writer waits here
//          and then reads what the first one committed. The database must know the property's name, else REMOVE does
//          nothing at all: `lockedAt` stands on the :MigrationLock node, which is there before the first write.
//          MERGE waits for whoever brings the same node into being, until the end of that transaction, which at its commit locks
//          the ends of its edges. So no node is locked before all of them are there: who waits holds nothing that the other wants
//          A new node is bare: add_aspects or describe_ends gives it its label and name, or drop_loose takes it away
//
// :param rows => [[0, "urn:li:tag:a", ["status"]], [1, "urn:li:tag:b", []]]
UNWIND $rows AS row
MERGE (e:Entity {urn: row[1]})
WITH collect({row: row, node: e}) AS found
UNWIND found AS pair
WITH pair.row AS row, pair.node AS e
FOREACH (_ IN CASE WHEN row[2] IS NULL OR size(row[2]) > 0 THEN [1] ELSE [] END |
  REMOVE e.lockedAt
)
WITH collect(CASE WHEN e.name IS NOT NULL AND e.referencedOnly IS NULL THEN {index: row[0], node: e, aspects: row[2]} END) AS described,
     collect(CASE WHEN e.name IS NULL THEN row[0] END) AS bare, collect(elementId(e)) AS nodes
CALL (described) {
  UNWIND described AS entity
  WITH entity.index AS index, entity.node AS e, entity.aspects AS aspects
  WHERE aspects IS NULL OR size(aspects) > 0
  MATCH (e)-[has:HAS_ASPECT|HAD_ASPECT]->(a)
  WHERE aspects IS NULL OR a.name IN aspects
  RETURN collect([index, a.name, a.version, a.value, a.systemMetadata, a.createdAt, type(has) = "HAD_ASPECT"]) AS states
}
WITH states, bare, nodes, [entity IN described | entity.index] AS known, datetime.realtime() AS now
RETURN states, known, bare, nodes, now.epochSeconds * 1000000 + now.microsecond AS now
