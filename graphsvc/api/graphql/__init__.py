"""The reading API: GraphQL over the reader."""

from graphsvc.api.graphql.router import build_router

__all__ = ["build_router"]
