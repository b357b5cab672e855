// Why a proposal that somebody may ask about was refused, by its trace.
CREATE CONSTRAINT refusal IF NOT EXISTS FOR (r:Refusal) REQUIRE (r.trace, r.urn, r.aspect) IS UNIQUE
