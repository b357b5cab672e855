// Which of some URNs were an end of an edge at a time.
//
// urns     [urn]
// at       milliseconds
// returns  one row: urns, [urn], in the order of urns
// index    entity_urn (unique), then the node's edges up to the first that stood; past_edge_source, past_edge_target
//
// :param urns => ["urn:li:tag:a"]
// :param at => 3
UNWIND $urns AS urn
WITH urn
WHERE EXISTS { MATCH (:Entity {urn: urn})-[edge]-(:Entity) WHERE coalesce(edge.since, 0) <= $at }
   OR EXISTS { MATCH (past:PastEdge) WHERE past.source = urn AND past.until > $at AND coalesce(past.since, 0) <= $at }
   OR EXISTS { MATCH (past:PastEdge) WHERE past.target = urn AND past.until > $at AND coalesce(past.since, 0) <= $at }
RETURN collect(urn) AS urns
