// See to it that the end nodes of new edges exist.
//
// urns     [urn], sorted
// returns  one row: bare, the URNs of nodes that have only that, which describe_ends takes on. They are few: most ends
//          exist already, so that no row has to say how they would look
// index    entity_urn (unique): MERGE seeks it
//
// :param urns => ["urn:li:tag:b"]
UNWIND $urns AS urn
MERGE (e:Entity {urn: urn})
WITH e
WHERE e.name IS NULL
RETURN collect(e.urn) AS bare
