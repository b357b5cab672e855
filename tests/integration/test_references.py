"""References to an entity, taken out of a real graph."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from neo4j import AsyncDriver

from graphsvc.errors import GraphsvcError
from graphsvc.graph.reader import Reader
from graphsvc.graph.referrers import Referrers
from graphsvc.graph.registry import Registry
from graphsvc.ingest.proposal import Proposal, proposal_of
from graphsvc.ingest.references import PAGE, References
from graphsvc.ingest.service import IngestService

TAG, OTHER = "urn:li:tag:gone", "urn:li:tag:kept"


def table(number: int) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:hive,referring_{number},PROD)"


def tagged(number: int, *tags: str) -> Proposal:
    return proposal_of(table(number), "globalTags", {"tags": [{"tag": tag} for tag in tags]})


@pytest.fixture
def referrers(graph: AsyncDriver, database: str) -> Referrers:
    return Referrers(graph, database)


@pytest.fixture
def references(service: IngestService, referrers: Referrers, registry: Registry) -> References:
    return References(service, referrers, registry)


async def write(service: IngestService, *proposals: Proposal) -> None:
    answers = await service.ingest(proposals)
    assert not [answer for answer in answers if isinstance(answer, GraphsvcError)]


async def tags_of(reader: Reader, number: int) -> Any:
    found = (await reader.aspects([table(number)], ["globalTags"]))[table(number)]
    return found["globalTags"].value


async def test_a_deleted_tag_is_taken_off_everything(
    service: IngestService, references: References, referrers: Referrers, reader: Reader
) -> None:
    """Over more than one page; what else the aspects say stays, and the tag's node goes with the last reference."""
    count = PAGE + 7
    await write(service, proposal_of(TAG, "tagProperties", {"name": "gone"}))
    await write(service, *(tagged(number, TAG, OTHER) for number in range(count)))
    await write(service, Proposal(entity_urn=TAG, change_type="DELETE"))

    total, some = await references.find(TAG)
    written = await references.remove(TAG)

    assert total == written == count
    assert {(r.aspect, r.relationship) for r in some} == {("globalTags", "TaggedWith")}
    assert await references.find(TAG) == (0, [])
    assert await reader.entities([TAG]) == {}
    assert await tags_of(reader, count - 1) == '{"tags":[{"tag":"urn:li:tag:kept"}]}'
    assert await referrers.total(OTHER) == count


async def test_what_comes_from_urns_stays(service: IngestService, references: References) -> None:
    """A column's dataset is part of its URN: no rewriting takes it away, and nothing goes round for ever."""
    await write(service, proposal_of(f"urn:li:schemaField:({table(1)},a)", "documentation", {"documentations": []}))
    await write(service, proposal_of(table(1), "status", {"removed": False}))

    assert await references.remove(table(1)) == 0


async def test_what_others_write_meanwhile_is_kept(
    graph: AsyncDriver, database: str, service: IngestService, registry: Registry, reader: Reader
) -> None:
    """An aspect that changes between the look and the write is looked at again."""

    class Meanwhile(Referrers):
        """Somebody adds a tag right after the first look."""

        looks = 0

        async def some(self, urn: str, count: int, skipped: Sequence[tuple[str, str]] = ()) -> Any:
            found = await super().some(urn, count, skipped)
            self.looks += 1
            if self.looks == 1:
                await write(service, tagged(1, TAG, OTHER))
            return found

    await write(service, tagged(1, TAG))

    assert await References(service, Meanwhile(graph, database), registry).remove(TAG) == 1

    assert await tags_of(reader, 1) == '{"tags":[{"tag":"urn:li:tag:kept"}]}'


async def test_two_at_once_do_it_once(service: IngestService, references: References, reader: Reader) -> None:
    """Both come to an end; together they have written every aspect."""
    await write(service, *(tagged(number, TAG) for number in range(50)))

    written = await asyncio.gather(references.remove(TAG), references.remove(TAG))

    assert sum(written) >= 50
    assert await references.find(TAG) == (0, [])
    assert await tags_of(reader, 49) == '{"tags":[]}'
