// Describe entities: set the node's label and properties and hang the first versions of aspects on it.
//
// rows     [[node, labels, properties, [[name, version, value, system, unmodelled]]]], where system is a place in
//          systems, or null
// systems  [[system metadata as JSON text, run]]
// at       when it is written, in milliseconds
// actor    who writes
// returns  nothing; the caller reads the counters
// index    none: node is an element id of this transaction (see lock_entities); a seek by URN costs twice as much
// note     lists and written-out properties take two thirds of the time of maps and SET
//
// :param rows => [["4:00000000-0000-0000-0000-000000000000:0", ["Tag"], {removed: false}, [["status", 1, "{}", 0, null]]]]
// :param systems => [["{}", null]]
// :param at => 1
// :param actor => "urn:li:corpuser:unknown"
UNWIND $rows AS row
MATCH (e) WHERE elementId(e) = row[0]
SET e:$(row[1]), e += row[2]
REMOVE e.referencedOnly
FOREACH (aspect IN row[3] |
  CREATE (e)-[:HAS_ASPECT]->(:Aspect {
    name: aspect[0], version: aspect[1], value: aspect[2], createdAt: $at, createdBy: $actor,
    systemMetadata: $systems[aspect[3]][0], runId: $systems[aspect[3]][1], unmodelled: aspect[4]
  })
)
