"""Ask the GraphQL door, in this process."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from fastapi import FastAPI

from graphsvc.api.graphql.router import build_router
from graphsvc.config import GraphqlSettings
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry

Ask = Callable[..., Awaitable[dict[str, Any]]]


def asking(reader: Reader, registry: Registry, settings: GraphqlSettings | None = None) -> Ask:
    """A function that gives the data for a document and its variables; an error in the answer fails the test."""
    app = FastAPI()
    app.include_router(build_router(reader, registry, settings or GraphqlSettings()))

    async def ask(query: str, **variables: Any) -> dict[str, Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            answer = await client.post("/graphql", json={"query": query, "variables": variables})
        body: dict[str, Any] = answer.json()
        assert "errors" not in body, body["errors"][:3]
        data: dict[str, Any] = body["data"]
        return data

    return ask
