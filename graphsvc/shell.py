"""Ask a running graphsvc from the command line: an entity, its lineage as a tree or a drawing, a search."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from graphsvc.errors import BadRequest, StoreUnavailable

TIMEOUT_S = 120.0
SEARCH = """
query ($input: SearchAcrossEntitiesInput!) {
  searchAcrossEntities(input: $input) { total searchResults { entity { urn name typeName } } }
}
"""


class Service:
    """A running graphsvc. Every method raises StoreUnavailable when it does not answer, BadRequest when it refuses."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def entity(self, urn: str, **options: str | int) -> Any:
        """An entity with all its aspects, as `GET /entities/{urn}` gives it."""
        return self._ask("GET", f"/entities/{quote(urn, safe='')}", params=options).json()

    def lineage(self, urn: str, **options: str | int) -> httpx.Response:
        """The answer of `GET /lineage/{urn}`."""
        return self._ask("GET", f"/lineage/{quote(urn, safe='')}", params=options)

    def search(self, text: str, count: int) -> Any:
        """The answer of GraphQL's `searchAcrossEntities`."""
        variables = {"input": {"query": text, "start": 0, "count": count}}
        answer = self._ask("POST", "/graphql", json={"query": SEARCH, "variables": variables}).json()
        if answer.get("errors"):
            raise BadRequest("; ".join(str(error.get("message")) for error in answer["errors"]))
        return answer["data"]["searchAcrossEntities"]

    def _ask(self, method: str, path: str, **parts: Any) -> httpx.Response:
        try:
            answer = httpx.request(method, self._url + path, headers=self._headers, timeout=TIMEOUT_S, **parts)
        except httpx.TransportError as exc:
            raise StoreUnavailable(
                f"graphsvc at {self._url} does not answer: {exc}. Is `graphsvc up` running?"
            ) from exc
        if answer.status_code == StoreUnavailable.status:
            raise StoreUnavailable(_message(answer))
        if answer.is_error:
            raise BadRequest(f"graphsvc answers {answer.status_code}: {_message(answer)}")
        return answer


def milliseconds(text: str) -> int:
    """
    A time, as people write it.

    Args:
        text: Milliseconds since 1970, or ISO 8601, `2026-11-01T12:00`; of this machine's zone if it names none.

    Raises:
        ValueError: It is neither.
    """
    return int(text) if text.isdecimal() else int(datetime.fromisoformat(text).timestamp() * 1_000)


def lineage_trees(answer: Mapping[str, Any]) -> list[Tree]:
    """
    A tree for each direction, from the start outwards.

    An entity that hangs on several others is drawn out under the first, and named under the others with an arrow back.

    Args:
        answer: JSON of `GET /lineage/{urn}`.
    """
    start = answer["start"]
    trees = []
    for direction in dict.fromkeys(node["direction"] for node in answer["nodes"]):
        nodes = {node["urn"]: node for node in answer["nodes"] if node["direction"] == direction}
        near, far = ("downstream", "upstream") if direction == "upstream" else ("upstream", "downstream")
        onward: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for edge in answer["edges"]:
            if edge[far] in nodes:
                onward[edge[near]][edge[far]] = None
        tree = Tree(f"[bold]{escape(start['name'])}[/] [dim]{escape(start['type'])}, {direction}[/]")
        _grow(tree, start["urn"], nodes, onward)
        trees.append(tree)
    return trees or [Tree(f"[bold]{escape(start['name'])}[/] [dim]{escape(start['type'])}, no lineage[/]")]


def entity_table(answer: Mapping[str, Any]) -> Table:
    """The entity's aspects, one a row, as JSON would show them."""
    table = Table(title=escape(f"{answer['name']} ({answer['type']})"), caption=escape(answer["urn"]))
    table.add_column("aspect")
    table.add_column("value", overflow="fold")
    for name, value in sorted(answer["aspects"].items()):
        table.add_row(escape(name), escape(str(value)))
    return table


def search_table(answer: Mapping[str, Any]) -> Table:
    """Found entities, the best first."""
    table = Table(caption=f"{len(answer['searchResults'])} of {answer['total']}")
    for title in ("name", "type", "urn"):
        table.add_column(title, overflow="fold")
    for result in answer["searchResults"]:
        entity = result["entity"]
        table.add_row(*(escape(entity[key]) for key in ("name", "typeName", "urn")))
    return table


def warn_if_cut(answer: Mapping[str, Any], console: Console) -> None:
    """Say what the tree does not show."""
    if answer["partial"]:
        console.print(f"partial: {answer['partialReason']}; there is more than is shown", style="yellow")
    elif answer["truncatedAtMaxHops"]:
        console.print("lineage goes on behind the last hop; ask with more --hops", style="dim")


def _grow(
    tree: Tree, start: str, nodes: Mapping[str, Mapping[str, Any]], onward: Mapping[str, Mapping[str, None]]
) -> None:
    """Breadth-first, so that an entity is drawn out where it is nearest to the start."""
    drawn = {start}
    level = [(start, tree)]
    while level:
        below = []
        for near, branch in level:
            for far in onward.get(near, ()):
                label = _label(nodes[far])
                if far in drawn:
                    branch.add(f"{label} [dim]↑[/]")
                else:
                    drawn.add(far)
                    below.append((far, branch.add(label)))
        level = below


def _label(node: Mapping[str, Any]) -> str:
    kind = " · ".join(part for part in (node["platform"], node["type"]) if part)
    owners = ", ".join(owner["name"] for owner in node["owners"])
    removed = " [red]removed[/]" if node["removed"] else ""
    return f"{escape(node['name'])} [dim]{escape(kind)}[/]{removed}" + (f" [cyan]{escape(owners)}[/]" if owners else "")


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]
