// The same by who declared them: they are forgotten with that entity.
CREATE INDEX past_edge_declared_by IF NOT EXISTS FOR (p:PastEdge) ON (p.declaredBy)
