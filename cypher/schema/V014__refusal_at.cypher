// Refusals by their age, at which they go.
CREATE INDEX refusal_at IF NOT EXISTS FOR (r:Refusal) ON (r.at)
