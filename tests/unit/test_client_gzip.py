"""Request bodies in gzip, as the service unpacks them."""

import gzip
import itertools
import tracemalloc
import zlib
from typing import Any

import orjson
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response
from hypothesis import given
from hypothesis import strategies as st

from graphsvc.errors import GraphsvcError
from graphsvc.http import GzipBodies, error_answer

LIMIT = 3 * 1024 * 1024


def make_app() -> Any:
    app = FastAPI()
    app.add_middleware(GzipBodies, limit=LIMIT)

    @app.post("/")
    async def echo(request: Request) -> Response:
        return Response(await request.body(), headers={"x-seen": str(request.headers.get("content-encoding"))})

    @app.exception_handler(GraphsvcError)
    async def answer(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, GraphsvcError)
        return error_answer(exc)

    return app


APP = make_app()


async def post(chunks: list[bytes], encoding: str | None = "gzip") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a body that comes in these pieces."""
    sent = [{"type": "http.request", "body": c, "more_body": i + 1 < len(chunks)} for i, c in enumerate(chunks)]
    sent.append({"type": "http.disconnect"})
    got: list[Any] = []

    async def receive() -> Any:
        return sent.pop(0)

    async def send(message: Any) -> None:
        got.append(message)

    headers = [(b"content-length", b"%d" % sum(map(len, chunks)))]
    if encoding:
        headers.append((b"content-encoding", encoding.encode()))
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": headers,
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
        "server": ("x", 80),
        "client": ("x", 1),
    }
    await APP(scope, receive, send)
    start = next(m for m in got if m["type"] == "http.response.start")
    body = b"".join(m.get("body", b"") for m in got if m["type"] == "http.response.body")
    return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body


@given(
    data=st.binary(max_size=300),
    repeated=st.sampled_from([1, 9000]),
    cuts=st.lists(st.integers(0, 400), max_size=5),
    level=st.integers(0, 9),
)
async def test_a_packed_body_arrives_as_it_was(data: bytes, repeated: int, cuts: list[int], level: int) -> None:
    """However it is cut into pieces, empty ones too."""
    packed = gzip.compress(data * repeated, compresslevel=level)
    places = sorted({0, len(packed), *(min(cut, len(packed)) for cut in cuts)})
    chunks = [packed[a:b] for a, b in itertools.pairwise(places)]

    status, headers, body = await post([b"", *chunks, b""])

    assert (status, body) == (200, data * repeated)
    assert headers["x-seen"] == "None"
    assert headers["accept-encoding"] == "gzip"


async def test_a_plain_body_is_left_alone() -> None:
    assert (await post([b"plain"], None))[2] == b"plain"
    assert (await post([b"plain"], "identity"))[2] == b"plain"


async def test_a_bomb_is_413_before_it_is_large() -> None:
    """A thousandfold: what is held at once stays near the limit."""
    bomb = gzip.compress(bytes(400 * LIMIT // 3))
    assert len(bomb) < LIMIT
    tracemalloc.start()

    status, _, body = await post([bomb])

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (status, orjson.loads(body)["exceptionClass"]) == (413, "TooLarge")
    assert peak < 4 * LIMIT


async def test_a_body_that_unpacks_to_nothing_for_ever_is_413() -> None:
    """Empty blocks cost the sender five bytes each and yield none; they count too."""
    begin = zlib.compressobj(wbits=31)
    head = begin.compress(b"") + begin.flush(zlib.Z_FULL_FLUSH)
    empty = b"\x00\x00\x00\xff\xff" * 20_000

    status, _, _ = await post([head, *[empty] * (LIMIT // len(empty) + 1), b""])

    assert status == 413


@pytest.mark.parametrize(
    "chunks",
    [
        [b"not gzip"],
        [b""],
        [gzip.compress(b"text")[:-3]],
        [gzip.compress(b"text") + b"more"],
        [gzip.compress(b"text"), b"more"],
        [gzip.compress(b"one") + gzip.compress(b"two")],
        [gzip.compress(b"text")[:-8] + bytes(8)],
        [zlib.compress(b"text")],
    ],
)
async def test_what_is_not_whole_gzip_is_400(chunks: list[bytes]) -> None:
    status, _, body = await post(chunks)

    assert (status, orjson.loads(body)["exceptionClass"]) == (400, "BadRequest")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
async def test_another_encoding_is_415_and_says_what_is_taken(encoding: str) -> None:
    """RFC 9110 15.5.16: the answer names the encodings that would do."""
    status, headers, _ = await post([b"x"], encoding)

    assert (status, headers["accept-encoding"]) == (415, "gzip")
