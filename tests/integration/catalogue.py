"""A generated catalogue: names as warehouses have them, from a seed, and the plain facts to compare answers with."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from graphsvc.ingest.proposal import Proposal, proposal_of

PLATFORMS = ("snowflake", "bigquery", "kafka", "postgres", "dbt")
LAYERS = ("raw", "stg", "int", "dim", "fct", "mart")
NOUNS = [
    "orders",
    "customers",
    "payments",
    "shipments",
    "refunds",
    "invoices",
    "sessions",
    "clicks",
    "products",
    "prices",
    "suppliers",
    "stores",
    "employees",
    "contracts",
    "tickets",
    "campaigns",
    "emails",
    "devices",
    "locations",
    "accounts",
    "ledgers",
    "subscriptions",
    "coupons",
    "reviews",
    "carts",
    "returns",
    "warehouses",
    "forecasts",
    "budgets",
    "audits",
]
GRAINS = ("daily", "hourly", "monthly", "snapshot", "history", "2023", "v2", "by_country", "by_channel", "current")
SCHEMAS = ("sales", "finance", "marketing", "logistics", "people", "web")
TAGS = ("pii", "tier-1", "deprecated", "gold")
OWNERS = tuple(f"urn:li:corpuser:user{number}" for number in range(25))
DOMAINS = tuple(f"urn:li:domain:{name}" for name in SCHEMAS)


@dataclass(frozen=True, slots=True)
class Table:
    """One dataset."""

    urn: str
    name: str
    platform: str
    env: str
    description: str
    columns: tuple[str, ...]
    tags: tuple[str, ...]
    owners: tuple[str, ...]
    domain: str
    properties: tuple[str, ...]
    removed: bool | None
    created: int


def tables(count: int, seed: int = 11) -> Iterator[Table]:
    """`count` tables; every combination of platform, schema and name occurs once at most."""
    rng = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < count:
        number = len(seen)
        layer, noun, grain = rng.choice(LAYERS), rng.choice(NOUNS), rng.choice(GRAINS)
        other = rng.choice(NOUNS)
        platform, schema = rng.choice(PLATFORMS), rng.choice(SCHEMAS)
        name = f"{layer}_{noun}_{grain}" if number % 3 else f"{layer}_{noun}_{other}_{grain}"
        if platform == "kafka":
            name = f"{noun}{other.title()}{grain.title().replace('_', '')}"
        if count > 5_000:
            name += f"_{number // 5_000:02d}"
        urn = f"urn:li:dataset:(urn:li:dataPlatform:{platform},{schema}.{name},{rng.choice(('PROD', 'PROD', 'DEV'))})"
        if urn in seen:
            continue
        seen.add(urn)
        yield Table(
            urn=urn,
            name=name,
            platform=f"urn:li:dataPlatform:{platform}",
            env=urn.rpartition(",")[2].rstrip(")"),
            description=f"One row per {noun} of {schema}, joined with {other}.",
            columns=(
                f"{noun}_id",
                f"{other}_key",
                "updated_at",
                *(("shippingAddressLine2",) if number % 40 == 0 else ()),
            ),
            tags=tuple(f"urn:li:tag:{tag}" for tag in sorted(rng.sample(TAGS, rng.choice((0, 0, 1, 2))))),
            owners=tuple(sorted({rng.choice(OWNERS), rng.choice(OWNERS)})),
            domain=f"urn:li:domain:{schema}",
            properties=(f"team={rng.choice(SCHEMAS)}", f"tier={rng.choice('123')}"),
            removed=rng.choice((True, False, None, None, None)),
            created=rng.randrange(1_700_000_000_000),
        )


def proposals(table: Table) -> Iterator[Proposal]:
    """What a connector would send for a table."""
    yield proposal_of(
        table.urn,
        "datasetProperties",
        {
            "name": table.name,
            "description": table.description,
            "customProperties": dict(item.split("=") for item in table.properties),
            "created": {"time": table.created},
        },
    )
    fields = [
        {"fieldPath": path, "nativeDataType": "x", "type": {"type": {"com.linkedin.schema.StringType": {}}}}
        for path in table.columns
    ]
    yield proposal_of(
        table.urn,
        "schemaMetadata",
        {
            "schemaName": "s",
            "platform": table.platform,
            "version": 0,
            "hash": "",
            "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
            "fields": fields,
        },
    )
    if table.tags:
        yield proposal_of(table.urn, "globalTags", {"tags": [{"tag": tag} for tag in table.tags]})
    owners = [{"owner": owner, "type": "DATAOWNER"} for owner in table.owners]
    yield proposal_of(table.urn, "ownership", {"owners": owners, "lastModified": {"time": 0, "actor": OWNERS[0]}})
    yield proposal_of(table.urn, "domains", {"domains": [table.domain]})
    if table.removed is not None:
        yield proposal_of(table.urn, "status", {"removed": table.removed})
