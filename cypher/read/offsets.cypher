// How far a consumer group has come.
//
// group    consumer group
// rows     [{topic, partition}]
// returns  one row: offsets, a list of [topic, partition, next, at] for the partitions that the group has been at
// index    consumer_offset (unique)
//
// :param group => "graphsvc"
// :param rows => [{topic: "MetadataChangeProposal_v1", partition: 0}]
UNWIND $rows AS row
MATCH (o:ConsumerOffset {group: $group, topic: row.topic, partition: row.partition})
RETURN collect([o.topic, o.partition, o.next, o.at]) AS offsets
