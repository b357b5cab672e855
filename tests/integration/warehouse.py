"""A catalogue of many datasets with names as warehouses have them: sources, models, topics, exports; from a seed."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graphsvc.ingest.proposal import Proposal, proposal_of

# Where data comes from -> what such a system keeps.
SOURCES: dict[str, tuple[str, ...]] = {
    "salesforce": ("account", "opportunity", "lead", "contact", "campaign", "task", "quote", "price_book", "contract"),
    "stripe": ("charge", "invoice", "payout", "refund", "subscription", "dispute", "balance_transaction", "coupon"),
    "shopify": ("order", "order_line", "customer", "product", "product_variant", "fulfillment", "discount", "cart"),
    "zendesk": ("ticket", "ticket_comment", "user", "organization", "satisfaction_rating", "macro", "sla_policy"),
    "netsuite": ("journal_entry", "vendor", "purchase_order", "ledger_account", "tax_code", "currency_rate", "budget"),
    "hubspot": ("company", "deal", "email_event", "form_submission", "marketing_email", "contact_list", "engagement"),
    "workday": ("employee", "position", "absence", "payroll_run", "cost_center", "job_requisition", "benefit_plan"),
    "segment": ("page_view", "track_event", "identify", "screen_view", "session", "anonymous_user"),
    "mysql_shop": ("address", "basket", "basket_item", "wishlist", "gift_card", "stock_level", "supplier", "review"),
    "sap": ("material", "plant", "goods_movement", "sales_document", "delivery", "billing_document", "work_order"),
    "google_ads": ("ad_group", "keyword", "click_performance", "campaign_stat", "conversion_action", "search_term"),
    "adyen": ("authorisation", "capture", "chargeback", "settlement_batch", "merchant_account", "terminal"),
    "fleet": ("vehicle", "trip", "gps_position", "fuel_receipt", "driver_shift", "maintenance_job", "toll"),
    "weather": ("station", "hourly_forecast", "observation", "alert"),
    "jira": ("issue", "sprint", "worklog", "board", "issue_link", "release"),
    "okta": ("login_event", "group_membership", "application", "factor", "policy_rule"),
}  # fmt: skip
AREAS: dict[str, tuple[str, ...]] = {
    "sales": ("order", "quote", "customer", "opportunity", "discount_code", "cart", "store", "channel", "return"),
    "finance": ("invoice", "ledger_entry", "payment", "refund", "budget", "tax_code", "currency_rate", "chargeback"),
    "marketing": ("campaign", "lead", "click", "attribution", "newsletter", "audience", "conversion", "touchpoint"),
    "logistics": ("shipment", "parcel", "warehouse", "stock_level", "delivery", "route", "vehicle", "carrier"),
    "people": ("employee", "absence", "payroll", "headcount", "applicant", "training", "survey_answer"),
    "product": ("session", "page_view", "feature_flag", "experiment", "device", "crash_report", "notification"),
    "support": ("ticket", "chat", "satisfaction_rating", "escalation", "knowledge_article", "call"),
    "risk": ("fraud_score", "credit_limit", "sanction_check", "login_event", "anomaly", "collection_case"),
}
SHAPES = (
    "dim_{many}", "fct_{many}", "fct_{many}_daily", "fct_{many}_hourly", "agg_{one}_{by}", "agg_{one}_{by}_{grain}",
    "int_{many}_joined_to_{other}", "int_{many}_deduplicated", "int_{many}_{by}", "mart_{one}_{measure}",
    "mart_{one}_{measure}_{by}", "rpt_{one}_{measure}_{grain}", "snp_{many}", "bridge_{one}_{other}",
    "{many}_{year}", "{many}_backup_{year}{month:02d}{day:02d}", "tmp_{many}_{measure}", "map_{one}_to_{other}",
    "{one}_{measure}_features", "{one}_{measure}_predictions", "v_{many}_current", "{many}_history",
)  # fmt: skip
MEASURES = (
    "revenue", "churn", "lifetime_value", "retention", "margin", "cost", "volume", "lead_time", "conversion_rate",
    "growth", "backlog", "utilization", "forecast", "quality", "aging", "reconciliation", "summary", "overview",
)  # fmt: skip
BYS = ("by_country", "by_channel", "by_region", "by_cohort", "by_segment", "by_device", "by_week", "by_owner")
GRAINS = ("daily", "weekly", "monthly", "quarterly", "ytd", "rolling_28d")
COLUMNS = (
    "created_at", "updated_at", "is_deleted", "amount_gross", "amount_net", "currency_code", "country_code", "status",
    "email", "phone_number", "postal_code", "valid_from", "valid_to", "source_system", "batch_id", "vat_rate",
    "unit_price", "quantity", "first_name", "last_name", "birth_date", "iban", "ip_address", "user_agent", "utm_source",
    "latitude", "longitude", "session_token", "discount_pct", "row_hash", "fiscal_period", "exchange_rate",
)  # fmt: skip
PHRASES = (
    "One row per {one} of the {area} team, refreshed every {grain}.",
    "All {many} with their {measure}, joined with {other}; source of the {area} dashboards.",
    "Cleaned {many}: duplicates removed, currencies converted, test accounts left out.",
    "Do not use for reporting; kept for audits of {many}.",
    "Counts of {many} {by}, for the weekly {area} review.",
)
TAGS = ("pii", "gold", "deprecated", "finance-critical", "gdpr", "tier-1", "experimental")
GRAIN_WORDS = {"daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter"}


@dataclass(frozen=True, slots=True)
class Dataset:
    """
    One dataset, as plain facts.

    Attributes:
        urn: Its key.
        platform: The platform's bare name.
        path: What the key calls it: `analytics.sales.fct_orders`.
        name: Its last part; all of it for a topic.
        env: PROD or DEV.
        area: Bare name of its domain.
        description: A sentence; empty for every third.
        columns: Empty for most.
        tags: Bare names.
        owners: Bare names.
        created: Milliseconds.
    """

    urn: str
    platform: str
    path: str
    name: str
    env: str
    area: str
    description: str
    columns: tuple[str, ...]
    tags: tuple[str, ...]
    owners: tuple[str, ...]
    created: int


def many(noun: str) -> str:
    """The plural."""
    if noun.endswith("y") and noun[-2] not in "aeou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def camel(name: str) -> str:
    """`page_view` as `PageView`."""
    return "".join(part.title() for part in name.split("_"))


def datasets(count: int, seed: int = 50) -> Iterator[Dataset]:
    """`count` datasets; no two of them have the same platform, path and environment."""
    rng = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < count:
        platform, path, area, words = rng.choices(KINDS, WEIGHTS)[0](rng)
        env = rng.choice(("PROD",) * 9 + ("DEV",))
        urn = f"urn:li:dataset:(urn:li:dataPlatform:{platform},{path},{env})"
        if urn in seen:
            continue
        seen.add(urn)
        described = rng.random() < 0.66
        wide = rng.random() < 0.1
        yield Dataset(
            urn=urn,
            platform=platform,
            path=path,
            name=path if platform == "kafka" else re.split(r"[./]", path)[-1],
            env=env,
            area=area,
            description=rng.choice(PHRASES).format(**words) if described else "",
            columns=(f"{words['one']}_id", *rng.sample(COLUMNS, rng.randint(4, 10))) if wide else (),
            tags=tuple(sorted(rng.sample(TAGS, rng.choice((0, 0, 0, 1, 2))))),
            owners=(f"team.{area}",) if rng.random() < 0.5 else (),
            created=rng.randrange(1_500_000_000_000, 1_790_000_000_000),
        )


Kind = tuple[str, str, str, dict[str, str]]


def _words(rng: random.Random, noun: str, area: str) -> dict[str, str]:
    grain = rng.choice(GRAINS)
    other = rng.choice([word for words in AREAS.values() for word in words])
    return {
        "one": noun, "many": many(noun), "other": many(other), "area": area, "measure": rng.choice(MEASURES),
        "by": rng.choice(BYS), "grain": GRAIN_WORDS.get(grain, grain),
    }  # fmt: skip


def _landed(rng: random.Random) -> Kind:
    """A source's table as a loader lands it."""
    source = rng.choice(list(SOURCES))
    noun = rng.choice(SOURCES[source])
    area = rng.choice(list(AREAS))
    platform = rng.choice(("snowflake", "bigquery", "snowflake", "postgres"))
    region = rng.choice(("eu", "us", "apac", "latam"))
    first = {"snowflake": "raw", "bigquery": "acme-raw", "postgres": "landing"}[platform]
    suffix = rng.choice(("", "", "_v2", "_hist", "_delta", "_stage", "_archive", f"_{rng.randint(2015, 2025)}"))
    return platform, f"{first}.{source}_{region}.{many(noun)}{suffix}", area, _words(rng, noun, area)


def _staged(rng: random.Random) -> Kind:
    """A staging model as dbt's guides name them."""
    source = rng.choice(list(SOURCES))
    noun = rng.choice(SOURCES[source])
    area = rng.choice(list(AREAS))
    kind = rng.choice(("stg", "base", "src"))
    suffix = rng.choice(("", "", "_unioned", "_pivoted", "_filtered", "_renamed", "_snapshot", "_dedup"))
    platform = rng.choice(("dbt", "snowflake"))
    return platform, f"analytics.staging_{area}.{kind}_{source}__{many(noun)}{suffix}", area, _words(rng, noun, area)


def _modelled(rng: random.Random) -> Kind:
    """A model, mart, report, backup or leftover."""
    area = rng.choice(list(AREAS))
    noun = rng.choice(AREAS[area])
    words = _words(rng, noun, area)
    shape = rng.choice(SHAPES)
    name = shape.format(
        **{**words, "grain": rng.choice(GRAINS)},
        year=rng.randint(2015, 2025),
        month=rng.randint(1, 12),
        day=rng.randint(1, 28),
    )
    schema = rng.choice((area, area, f"{area}_marts", f"{area}_sandbox", "reporting", "core"))
    platform = rng.choice(("snowflake", "dbt", "bigquery", "redshift"))
    first = {"bigquery": "acme-analytics", "redshift": "dwh"}.get(platform, "analytics")
    return platform, f"{first}.{schema}.{name}", area, words


def _topic(rng: random.Random) -> Kind:
    """A Kafka topic."""
    area = rng.choice(list(AREAS))
    noun = rng.choice(AREAS[area])
    event = rng.choice(("Created", "Updated", "Deleted", "Changed", "Requested", "Failed", "Completed", "Snapshot"))
    stage = rng.choice(("", "prod.", "cdc.", "private.", "dlq."))
    version = rng.choice(("", ".v1", ".v2"))
    return "kafka", f"{stage}{area}.{camel(noun)}{event}{version}", area, _words(rng, noun, area)


def _exported(rng: random.Random) -> Kind:
    """Files."""
    area = rng.choice(list(AREAS))
    noun = rng.choice(AREAS[area])
    bucket = rng.choice(("acme-datalake", "acme-exports", "partner-drop"))
    zone = rng.choice(("bronze", "silver", "gold"))
    words = _words(rng, noun, area)
    name = f"{noun}-{words['measure'].replace('_', '-')}-{rng.randint(1, 12):02d}"
    return "s3", f"{bucket}/{zone}/{area}/{name}", area, words


KINDS: tuple[Callable[[random.Random], Kind], ...] = (_landed, _staged, _modelled, _topic, _exported)
WEIGHTS = (20, 20, 45, 5, 10)


def proposals(dataset: Dataset) -> Iterator[Proposal]:
    """What a connector would send: one aspect for all, a few more for some."""
    properties = {"name": dataset.name, "created": {"time": dataset.created}}
    if dataset.description:
        properties["description"] = dataset.description
    yield proposal_of(dataset.urn, "datasetProperties", properties)
    if dataset.columns:
        fields = [
            {"fieldPath": path, "nativeDataType": "x", "type": {"type": {"com.linkedin.schema.StringType": {}}}}
            for path in dataset.columns
        ]
        schema = {
            "schemaName": dataset.name, "platform": f"urn:li:dataPlatform:{dataset.platform}", "version": 0, "hash": "",
            "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}}, "fields": fields,
        }  # fmt: skip
        yield proposal_of(dataset.urn, "schemaMetadata", schema)
    if dataset.tags:
        yield proposal_of(dataset.urn, "globalTags", {"tags": [{"tag": f"urn:li:tag:{tag}"} for tag in dataset.tags]})
    if dataset.owners:
        owners = [{"owner": f"urn:li:corpuser:{owner}", "type": "TECHNICAL_OWNER"} for owner in dataset.owners]
        stamp = {"time": 0, "actor": "urn:li:corpuser:team.data"}
        yield proposal_of(dataset.urn, "ownership", {"owners": owners, "lastModified": stamp})
        yield proposal_of(dataset.urn, "domains", {"domains": [f"urn:li:domain:{dataset.area}"]})
