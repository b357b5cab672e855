// Containers, or domains, that are parts of others at any depth, and those that they are parts of.
//
// rows     [{at, urns, prefix, down, up}]: where to start, what URNs on the way start with, and which ways to go; at tells
//          the answers apart
// limit    entities per row at most, those of the start included
// returns  one row: found, [[at, [urn]]]; a start is there once more if it has a node
// index    entity_urn (unique)
// note     the tables of a container are parts of it, too, and are passed over one by one
//
// :param rows => [{at: 0, urns: ["urn:li:domain:a"], prefix: "urn:li:domain:", down: true, up: true}]
// :param limit => 20001
UNWIND $rows AS row
CALL (row) {
  UNWIND row.urns AS urn
  MATCH (start:Entity {urn: urn})
  CALL (row, start) {
    UNWIND CASE WHEN row.down THEN [start] ELSE [] END AS top
    MATCH (top) (()<-[:IsPartOf]-(part WHERE part.urn STARTS WITH row.prefix)){0,100} (kin)
    RETURN kin
   UNION
    UNWIND CASE WHEN row.up THEN [start] ELSE [] END AS bottom
    MATCH (bottom) (()-[:IsPartOf]->(whole WHERE whole.urn STARTS WITH row.prefix)){0,100} (kin)
    RETURN kin
  }
  WITH DISTINCT kin LIMIT $limit
  RETURN collect(kin.urn) AS urns
}
RETURN collect([row.at, urns]) AS found
