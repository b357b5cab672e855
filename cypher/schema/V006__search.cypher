// What search looks in: the words of names and of columns, the texts of the model's annotations, and the fields that one
// filters by most. It follows the writes, which would else spend more on it than on all the rest (some 8 ms a commit);
// whoever searches waits until it has caught up, so that what was acknowledged is found.
CREATE FULLTEXT INDEX entity_search IF NOT EXISTS FOR (e:Entity) ON EACH [
  e.nameWords, e.fieldWords, e.aliases, e.customProperties, e.definition, e.description, e.destination,
  e.displayName, e.editedDescription, e.editedDisplayName, e.editedFieldDescriptions, e.editedFieldGlossaryTerms,
  e.editedFieldTags, e.editedName, e.featureNamespace, e.fieldDescriptions, e.fieldLabels, e.flowId, e.fullName,
  e.id, e.jobId, e.ldap, e.message, e.orchestrator, e.originalFileName, e.path, e.project, e.qualifiedName,
  e.schemaFieldBusinessAttribute, e.semanticText, e.skills, e.slackDisplayName, e.source, e.tagline, e.teams, e.text,
  e.title, e.tool, e.url, e.versionCustomProperties, e.applications, e.container, e.dataProduct, e.domains, e.email,
  e.env, e.fieldGlossaryTerms, e.fieldTags, e.glossaryTerms, e.origin, e.owners, e.platform, e.platformInstance,
  e.tags, e.typeNames
] OPTIONS {indexConfig: {`fulltext.analyzer`: "standard-no-stop-words", `fulltext.eventually_consistent`: true}}
