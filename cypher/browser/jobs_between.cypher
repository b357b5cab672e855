// Jobs between two datasets: what has to run again
//
// upstream    name of the dataset where the data start
// downstream  name of the dataset where they arrive
// returns     one row per job on any way between them: flow, job, owners
//
// :param upstream => "payments.v1"
// :param downstream => "customer_churn_scores"
MATCH (:Dataset {name: $downstream})
      -[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
        |DerivedFrom|TrainedBy|Uses|HasMember*1..15 {lineage: true}]->(job:DataJob)
WITH DISTINCT job
WHERE EXISTS {
        (job)-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
        |DerivedFrom|TrainedBy|Uses|HasMember*1..15 {lineage: true}]->(:Dataset {name: $upstream}) }
RETURN COLLECT { MATCH (job)-[:IsPartOf]->(flow:DataFlow) RETURN flow.name }[0] AS flow,
       job.name AS job,
       COLLECT { MATCH (job)-[:OwnedBy]->(owner) RETURN DISTINCT owner.name } AS owners
ORDER BY flow, job
