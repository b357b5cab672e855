"""`/health`, and `/config`, which DataHub's clients ask first."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from graphsvc.http import JSONAnswer

# Below 1.0.1, so that DataHub's SDK clients write to the rest.li doors: no OpenAPI ones take writes (WIRE.md 1.2).
WIRE_VERSION = "v1.0.0"


def config() -> dict[str, Any]:
    """
    What DataHub's clients need to know of the server; it claims only what works.

    `noCode` must be the string "true", or they refuse to connect.
    """
    return {
        "noCode": "true",
        "datahub": {"serverType": "prod", "serverEnv": "core"},
        "versions": {"acryldata/datahub": {"version": WIRE_VERSION, "commit": f"graphsvc-{version('graphsvc')}"}},
        "statefulIngestionCapable": False,
        "supportsImpactAnalysis": False,
        "patchCapable": False,
        "retention": "false",
        "timeZone": "UTC",
        "models": {},
        "telemetry": {"enabledCli": False, "enabledIngestion": False, "enabledServer": False},
        "managedIngestion": {"enabled": False},
    }


def build_router(check: Callable[[], Awaitable[None]]) -> APIRouter:
    """
    Health and configuration.

    Args:
        check: Returns if the service can answer; raises StoreUnavailable with the reason if it cannot.
    """
    router = APIRouter(tags=["service"])

    @router.get("/config", summary="What this server can do, for DataHub's clients")
    async def get_config() -> Response:
        """See WIRE.md 1.2 for how the clients read it."""
        return JSONAnswer(config())

    @router.get("/health/live", summary="The process runs")
    async def live() -> Response:
        """200 as long as the process answers; says nothing about Neo4j."""
        return JSONAnswer({"status": "ok"})

    @router.get("/health/ready", summary="The service can answer")
    @router.get("/health", summary="The service can answer", include_in_schema=False)
    async def ready() -> Response:
        """200 when Neo4j answers a query and its schema is up to date, else 503 with the reason."""
        await check()
        return JSONAnswer({"status": "ok", "neo4j": "ok"})

    return router
