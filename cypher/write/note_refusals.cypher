// Note why proposals with a trace were refused, in the transaction that moves on behind them.
//
// rows     [{trace, urn, aspect, message}]
// returns  nothing; the caller reads the counters
// index    refusal (unique): MERGE seeks it
//
// :param rows => [{trace: "0006", urn: "urn:li:tag:a", aspect: "status", message: "no"}]
UNWIND $rows AS row
MERGE (r:Refusal {trace: row.trace, urn: row.urn, aspect: row.aspect})
SET r.message = row.message, r.at = timestamp()
