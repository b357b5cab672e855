// History of an aspect: every version, newest first
//
// urn      the entity
// aspect   the aspect's name
// returns  one row per version: when, by whom, in which run, what
//
// :param urn => "urn:li:dataset:(urn:li:dataPlatform:dbt,retail.marts.mart_daily_revenue,PROD)"
// :param aspect => "datasetProperties"
MATCH (:Entity {urn: $urn})-[:HAS_ASPECT|HAD_ASPECT]->(newest {name: $aspect})
MATCH (newest)-[:PREVIOUS*0..100]->(version)
RETURN version.version AS version,
       datetime({epochMillis: version.createdAt}) AS writtenAt,
       version.createdBy AS writtenBy,
       version.runId AS runId,
       version.value AS value
ORDER BY version DESC
