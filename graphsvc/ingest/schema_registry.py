"""The calls of Confluent's schema registry, as serializers of Python and Java make them, over schemas in the graph."""

import re
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from graphsvc.errors import BadLevel, BadSchema, GraphsvcError, SchemaNotFound, UnsupportedMediaType
from graphsvc.graph.compatibility import Level
from graphsvc.graph.schemas import GraphSchemas, SubjectVersion
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
        ("PUT", "/config", doors.set_config),
        ("GET", "/config/{subject:path}", doors.subject_config),
        ("PUT", "/config/{subject:path}", doors.set_subject_config),
        ("DELETE", "/config/{subject:path}", doors.drop_subject_config),
        ("GET", "/mode", doors.mode),
        ("GET", "/mode/{subject:path}", doors.mode),
        ("POST", "/compatibility/subjects/{subject:path}/versions", doors.compatible),
        ("POST", "/compatibility/subjects/{subject:path}/versions/{version}", doors.compatible_with),
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

        A schema that the subject has already gives the same id and no new version. `normalize` is not looked at. Any
        other is 409 if the level of compatibility, which `/config` shows and sets, does not let it follow older ones.
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
        """The compatibility level of all subjects that have none of their own; `NONE` unless somebody sets another."""
        return RegistryAnswer({"compatibilityLevel": (await self._schemas.level()).value})

    async def set_config(self, request: Request) -> Response:
        """Set it: `{"compatibility": "BACKWARD"}`, or `FORWARD`, `FULL`, one of these with `_TRANSITIVE`, or `NONE`."""
        level = await _level(request)
        await self._schemas.set_level(None, level)
        return RegistryAnswer({"compatibility": level.value})

    async def subject_config(self, subject: str, request: Request) -> Response:
        """The level that holds for a subject; with `defaultToGlobal=false` its own, or 404."""
        own = request.query_params.get("defaultToGlobal", "").lower() == "false"
        return RegistryAnswer({"compatibilityLevel": (await self._schemas.level(subject, own=own)).value})

    async def set_subject_config(self, subject: str, request: Request) -> Response:
        """Set a subject's own level, as above."""
        level = await _level(request)
        await self._schemas.set_level(subject, level)
        return RegistryAnswer({"compatibility": level.value})

    async def drop_subject_config(self, subject: str) -> Response:
        """Give a subject the general level again; the answer is the level that it had."""
        level = await self._schemas.level(subject, own=True)
        await self._schemas.set_level(subject, None)
        return RegistryAnswer({"compatibilityLevel": level.value})

    async def mode(self) -> Response:
        """Every subject can be read and written."""
        return RegistryAnswer({"mode": "READWRITE"})

    async def compatible(self, subject: str, request: Request) -> Response:
        """Whether a schema could become the newest version: `{"is_compatible"}`; `messages` too with `verbose=true`."""
        return await self._compatible(subject, None, request)

    async def compatible_with(self, subject: str, version: str, request: Request) -> Response:
        """The same, looking at one version only, by number or `latest`."""
        return await self._compatible(subject, _number(version), request)

    async def _compatible(self, subject: str, version: int | Literal["latest"] | None, request: Request) -> Response:
        found = await self._schemas.problems(subject, await _schema(request), version)
        verbose = request.query_params.get("verbose", "").lower() == "true"
        return RegistryAnswer({"is_compatible": not found, **({"messages": found} if verbose else {})})

    async def nothing(self, other: str) -> Response:
        """404 in the registry's form, e.g. for `/associations/…`, which newer clients ask for and can do without."""
        raise SchemaNotFound(f"/{other} is not there: no such subject or resource.", 40401)


async def _body(request: Request) -> Any:
    """
    A request's JSON.

    Raises:
        UnsupportedMediaType: The body does not call itself JSON of a kind that web pages cannot send unasked.
        BadSchema: It is not well-formed.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ACCEPTED:
        raise UnsupportedMediaType(f"the body's Content-Type is {kind or 'missing'!r}; send {MEDIA_TYPE}")
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as exc:
        raise BadSchema(f"the body is not well-formed JSON: {exc}") from exc


async def _schema(request: Request) -> str:
    """
    The schema in a request's body.

    Raises:
        UnsupportedMediaType: As `_body` does.
        BadSchema: The body is not `{"schema": "…"}`, or asks for what is not supported.
    """
    body = await _body(request)
    text = body.get("schema") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise BadSchema('the body is {"schema": "<Avro schema, as JSON text>"}')
    if (body.get("schemaType") or "AVRO") != "AVRO" or body.get("references"):
        raise BadSchema("only schemas of the type AVRO, without references, are supported")
    return text


async def _level(request: Request) -> Level:
    """
    The level in a request's body.

    Raises:
        UnsupportedMediaType: As `_body` does.
        BadLevel: The body is not `{"compatibility": "…"}` with one of Confluent's levels.
    """
    body = await _body(request)
    word = body.get("compatibility") if isinstance(body, dict) else None
    if not isinstance(word, str) or word not in Level.__members__:
        raise BadLevel(f'the body is {{"compatibility": "<level>"}}; levels are {", ".join(Level.__members__)}')
    return Level(word)


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
    return error.code if isinstance(error, BadSchema) else error.status * 100 + 1
