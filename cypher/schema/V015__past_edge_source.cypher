// Edges that went, found from where they started, the latest first: what stood at a time was taken away after it.
CREATE INDEX past_edge_source IF NOT EXISTS FOR (p:PastEdge) ON (p.source, p.until)
