// Move a consumer group on, if nobody else has moved it since: what makes a record's effect happen once.
//
// group    consumer group
// rows     [{index, topic, partition, start, next, at}]: the offset that was read before, -1 for none; the one to read
//          from next; time of the last record in milliseconds
// returns  one row: moved, the indexes of the rows that were moved. The others belong to another consumer now
// index    consumer_offset (unique): MERGE seeks it
// note     REMOVE takes the node's write lock (see lock_entities), so that two consumers come one after the other
//
// :param group => "graphsvc"
// :param rows => [{index: 0, topic: "MetadataChangeProposal_v1", partition: 0, start: -1, next: 3, at: 1}]
UNWIND $rows AS row
MERGE (o:ConsumerOffset {group: $group, topic: row.topic, partition: row.partition})
REMOVE o.lockedAt
WITH o, row
WHERE coalesce(o.next, -1) = row.start
SET o.next = row.next, o.at = row.at
RETURN collect(row.index) AS moved
