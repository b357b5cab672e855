"""GraphiQL stands in the package, as its authors published it."""

import hashlib
import re
from importlib.resources import files

import pytest

STATIC = files("graphsvc.api.graphql") / "static"
PUBLISHED = {
    "graphiql.min.css": "bdddd50aac5bdb0edd83e5c862ba2fed9db2964e4c75d4655ab62b0a7d5bd730",
    "graphiql.min.js": "a330a2be1d2389486840a9d0a834767d9083a23f105879e0de54e4fce83d3513",
    "react-dom.production.min.js": "35f4f974f4b2bcd44da73963347f8952e341f83909e4498227d4e26b98f66f0d",
    "react.production.min.js": "d949f1c3687aedadcedac85261865f29b17cd273997e7f6b2bfc53b2f9d4c4dd",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_file_is_the_published_one(name: str) -> None:
    """Nobody, and no tool that tidies files, has changed it."""
    assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == PUBLISHED[name]


def test_page_loads_nothing_from_elsewhere() -> None:
    """A closed network shows it too."""
    page = (STATIC / "page.html").read_text(encoding="utf-8")
    linked = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert [link for link in linked if not link.startswith(("/static/graphiql/", "data:"))] == []
    assert {link.rpartition("/")[2] for link in linked} >= set(PUBLISHED)
