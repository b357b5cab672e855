// Changes and dead letters that wait to be published, in the order in which their transactions wrote them.
CREATE INDEX outbox_order IF NOT EXISTS FOR (o:Outbox) ON (o.order)
