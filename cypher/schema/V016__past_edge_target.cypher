// The same from where they ended.
CREATE INDEX past_edge_target IF NOT EXISTS FOR (p:PastEdge) ON (p.target, p.until)
