"""The reading API: GraphQL over the reader."""
