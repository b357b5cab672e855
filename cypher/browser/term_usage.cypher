// Where a business term is used: tables, columns and what they feed
//
// term     name of the glossary term
// returns  one row per thing that bears the term, itself or on a column: type, name, dashboards downstream
//
// :param term => "Net Revenue"
MATCH (:GlossaryTerm {name: $term})<-[use:TermedWith|SchemaFieldWithGlossaryTerm]-(thing)
WITH DISTINCT thing, use.aspect AS aspect
RETURN [label IN labels(thing) WHERE label <> "Entity"][0] AS type,
       thing.name AS name,
       CASE aspect WHEN "glossaryTerms" THEN "whole" ELSE "column" END AS bears,
       COLLECT {
         MATCH (thing)
               <-[:DownstreamOf|Consumes|ProducedBy|Contains|DashboardContainsDashboard
                  |DerivedFrom|TrainedBy|Uses|HasMember*1..15 {lineage: true}]-(dashboard:Dashboard)
         RETURN DISTINCT dashboard.name
         ORDER BY dashboard.name
       } AS dashboards
ORDER BY type, name, bears
