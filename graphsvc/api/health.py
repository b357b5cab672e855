"""`/health`, and `/config`, which DataHub's clients ask first."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

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


def build_config_router() -> APIRouter:
    """`/config`."""
    router = APIRouter(tags=["service"])

    @router.get("/config", summary="What this server can do, for DataHub's clients")
    async def get_config() -> Response:
        """See WIRE.md 1.2 for how the clients read it."""
        return JSONAnswer(config())

    return router


def build_router(check: Callable[[], Awaitable[dict[str, str]]]) -> APIRouter:
    """
    Health and metrics of a process.

    Args:
        check: Gives the state of what the process needs, if it can do its work; raises Unavailable with the reason if
            it cannot.
    """
    router = APIRouter(tags=["service"])

    @router.get("/health/live", summary="The process runs")
    async def live() -> Response:
        """200 as long as the process answers; says nothing about Neo4j."""
        return JSONAnswer({"status": "ok"})

    @router.get("/health/ready", summary="The service can answer")
    @router.get("/health", summary="The service can answer", include_in_schema=False)
    async def ready() -> Response:
        """200 when the process can do its work, with the state of Neo4j and Kafka; else 503 with the reason."""
        return JSONAnswer({"status": "ok", **await check()})

    @router.get("/metrics", summary="Counters for Prometheus")
    async def metrics() -> Response:
        """Prometheus's text format: what this process has done, and how far it is behind."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
