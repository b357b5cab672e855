"""The reading API: GraphQL over the reader. `router.build_router` is its door."""
