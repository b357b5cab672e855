"""The calls of Confluent's schema registry, as serializers of Python and Java make them, over schemas in the graph."""

import re
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from graphsvc.errors import BadSchema, GraphsvcError, SchemaNotFound, UnsupportedMediaType
from graphsvc.graph.schemas import GraphSchemas, SubjectVersion, fingerprint
from graphsvc.http import JSONAnswer

PREFIX = "/schema-registry/api"
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
# What a browser does not send to another origin without asking first.
ACCEPTED = frozenset({MEDIA_TYPE, "application/vnd.schemaregistry+json", "application/json"})


class RegistryAnswer(JSONAnswer):
    """JSON under the registry's own content type."""

    media_type = MEDIA_TYPE


class RegistryRoute(APIRoute):
    """A route whose errors look like Confluent's: `{"error_code": 40403, "message": …}`; its clients read no others."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint, with its errors turned into answers."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except GraphsvcError as error:
                body = {"error_code": _code(error), "message": str(error)}
                return RegistryAnswer(body, status_code=error.status)

        return answer


def build_router(schemas: GraphSchemas) -> APIRouter:
    """All endpoints, under PREFIX."""
    router = APIRouter(prefix=PREFIX, route_class=RegistryRoute, tags=["Schema registry"])
    doors = Doors(schemas)
    for method, path, endpoint in (
        ("GET", "/", doors.home),
        ("GET", "/subjects", doors.subjects),
        # Java's client writes a slash in a name as %2F, which is a slash again when it comes here.
        ("POST", "/subjects/{subject:path}/versions", doors.register),
        ("GET", "/subjects/{subject:path}/versions", doors.versions),
        ("GET", "/subjects/{subject:path}/versions/{version}", doors.version),
        ("GET", "/subjects/{subject:path}/versions/{version}/schema", doors.version_schema),
        ("POST", "/subjects/{subject:path}", doors.look_up),
        ("GET", "/schemas/types", doors.types),
        ("GET", "/schemas/ids/{schema_id}", doors.schema),
        ("GET", "/schemas/ids/{schema_id}/schema", doors.plain_schema),
        ("GET", "/schemas/ids/{schema_id}/versions", doors.uses),
        ("GET", "/config", doors.config),
        ("GET", "/config/{subject:path}", doors.config),
        ("GET", "/mode", doors.mode),
        ("GET", "/mode/{subject:path}", doors.mode),
        ("POST", "/compatibility/subjects/{subject:path}/versions", doors.compatible),
        ("POST", "/compatibility/subjects/{subject:path}/versions/{version}", doors.compatible),
        ("GET", "/{other:path}", doors.nothing),
    ):
        router.add_api_route(
            path, endpoint, methods=[method], response_model=None, openapi_extra={"parameters": _parameters(path)}
        )
    return router


def _parameters(path: str) -> list[dict[str, Any]]:
    """What the path names, for OpenAPI: the endpoints read it from the request."""
    names = re.findall(r"\{(\w+)", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


class Doors:
    """The endpoints, each: decode, call, encode."""

    def __init__(self, schemas: GraphSchemas) -> None:
        self._schemas = schemas

    async def home(self) -> Response:
        """An empty object, to show that the registry is there."""
        return RegistryAnswer({})

    async def subjects(self) -> Response:
        """Names of all subjects, as a list."""
        return RegistryAnswer(await self._schemas.subjects())

    async def register(self, subject: str, request: Request) -> Response:
        """
        Store `{"schema": "<Avro, as JSON text>"}` as the subject's newest version: `{"id": 1}`.

        A schema that the subject has already gives the same id and no new version. `normalize` is not looked at. A new
        version is not compared with the older ones: `/config` says `NONE`.
        """
        return RegistryAnswer({"id": await self._schemas.register(subject, await _schema(request))})

    async def look_up(self, subject: str, request: Request) -> Response:
        """The version of the subject that is this schema: `{"subject", "version", "id", "schema"}`."""
        return RegistryAnswer(_shown(await self._schemas.look_up(subject, await _schema(request))))

    async def versions(self, subject: str) -> Response:
        """Numbers of the subject's versions, as a list."""
        return RegistryAnswer(await self._schemas.versions(subject))

    async def version(self, subject: str, version: str) -> Response:
        """One version of a subject, by number or `latest`: `{"subject", "version", "id", "schema"}`."""
        return RegistryAnswer(_shown(await self._schemas.version(subject, _number(version))))

    async def version_schema(self, subject: str, version: str) -> Response:
        """The same, only the schema, as a JSON document of its own."""
        return Response((await self._schemas.version(subject, _number(version))).text, media_type=MEDIA_TYPE)

    async def types(self) -> Response:
        """The kinds of schemas: Avro."""
        return RegistryAnswer(["AVRO"])

    async def schema(self, schema_id: str) -> Response:
        """The schema with this id: `{"schema": "<text>"}`. The parameters `subject` and `fetchMaxId` change nothing."""
        return RegistryAnswer({"schema": await self._schemas.schema(_id(schema_id))})

    async def plain_schema(self, schema_id: str) -> Response:
        """The same, only the schema, as a JSON document of its own."""
        return Response(await self._schemas.schema(_id(schema_id)), media_type=MEDIA_TYPE)

    async def uses(self, schema_id: str) -> Response:
        """Subjects and versions that have this schema: `[{"subject", "version"}]`."""
        uses = await self._schemas.uses(_id(schema_id))
        return RegistryAnswer([{"subject": subject, "version": version} for subject, version in uses])

    async def config(self) -> Response:
        """The compatibility level is `NONE` for all subjects: any well-formed schema becomes a version."""
        return RegistryAnswer({"compatibilityLevel": "NONE"})

    async def mode(self) -> Response:
        """Every subject can be read and written."""
        return RegistryAnswer({"mode": "READWRITE"})

    async def compatible(self, request: Request) -> Response:
        """`{"is_compatible": true}` for every well-formed schema, as the level `NONE` says: it is not compared."""
        fingerprint(await _schema(request))
        return RegistryAnswer({"is_compatible": True})

    async def nothing(self, other: str) -> Response:
        """404 in the registry's form, e.g. for `/associations/…`, which newer clients ask for and can do without."""
        raise SchemaNotFound(f"/{other} is not there: no such subject or resource.", 40401)


async def _schema(request: Request) -> str:
    """
    The schema in a request's body.

    Raises:
        UnsupportedMediaType: The body does not call itself JSON of a kind that web pages cannot send unasked.
        BadSchema: The body is not `{"schema": "…"}`, or asks for what is not supported.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ACCEPTED:
        raise UnsupportedMediaType(f"the body's Content-Type is {kind or 'missing'!r}; send {MEDIA_TYPE}")
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as exc:
        raise BadSchema(f"the body is not well-formed JSON: {exc}") from exc
    text = body.get("schema") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise BadSchema('the body is {"schema": "<Avro schema, as JSON text>"}')
    if (body.get("schemaType") or "AVRO") != "AVRO" or body.get("references"):
        raise BadSchema("only schemas of the type AVRO, without references, are supported")
    return text


def _shown(version: SubjectVersion) -> dict[str, Any]:
    return {"subject": version.subject, "version": version.version, "id": version.id, "schema": version.text}


def _number(text: str) -> int | Literal["latest"]:
    if text in ("latest", "-1"):
        return "latest"
    if not text.isascii() or not text.isdecimal():
        raise SchemaNotFound(f"Version {text[:100]!r} is not a number.", 40402)
    return int(text[:20])


def _id(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise SchemaNotFound(f"Schema {text[:100]!r} is not a number.", 40403)
    return int(text[:20])


def _code(error: GraphsvcError) -> int:
    """Confluent's code of an error."""
    if isinstance(error, SchemaNotFound):
        return error.code
    return 42201 if isinstance(error, BadSchema) else error.status * 100 + 1
