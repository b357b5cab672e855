"""Answers of GraphQL as bytes."""

import json

import orjson

from graphsvc.api.graphql.plain import decoded

CLIENT_GONE = 499  # which nobody sees but the log


def encoded(data: object) -> bytes:
    """An answer as JSON; whole numbers beyond 64 bits, which orjson refuses, go by the standard library."""
    try:
        return orjson.dumps(data)
    except TypeError:
        return json.dumps(data, separators=(",", ":"), default=decoded).encode()
