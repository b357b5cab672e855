"""The favourites for Neo4j Browser, each run as its header says, on the example metadata."""

import re
from pathlib import Path
from typing import Any

import pytest
from neo4j import AsyncDriver

BROWSER = Path(__file__).parents[2] / "cypher" / "browser"
FAVOURITES = sorted(path.stem for path in BROWSER.glob("*.cypher"))
PARAM = re.compile(r"^// :param (\w+) => (.+)$", re.MULTILINE)
MART = "mart_daily_revenue"

pytestmark = pytest.mark.usefixtures("retail")


async def literal(driver: AsyncDriver, text: str) -> Any:
    """What Browser makes of `:param x => text`: Neo4j evaluates it."""
    records, _, _ = await driver.execute_query(f"RETURN {text} AS value")
    return records[0]["value"]


async def run(driver: AsyncDriver, favourite: str, /, **changed: Any) -> list[dict[str, Any]]:
    """Rows of one favourite, with the parameters of its header unless changed."""
    text = (BROWSER / f"{favourite}.cypher").read_text(encoding="utf-8")
    params = {key: await literal(driver, value) for key, value in PARAM.findall(text)}
    records, _, _ = await driver.execute_query(text, params | changed, routing_="r")
    return [dict(record) for record in records]


def names(rows: list[dict[str, Any]]) -> set[str]:
    """Names of all nodes on all returned paths."""
    return {node["name"] for row in rows for node in row["path"].nodes}


def test_there_are_favourites() -> None:
    """The parametrised test below would pass on an empty folder."""
    assert len(FAVOURITES) >= 15


@pytest.mark.parametrize("name", FAVOURITES)
def test_header_says_what_it_is(name: str) -> None:
    """Browser shows the first comment line as the favourite's name; the query's parameters have examples."""
    text = (BROWSER / f"{name}.cypher").read_text(encoding="utf-8")
    header, query = re.split(r"\n(?!//)", text, maxsplit=1)

    assert re.match(r"// [A-Z].{10,}", header)
    assert "// returns " in header
    assert set(re.findall(r"\$(\w+)", query)) == {key for key, _ in PARAM.findall(header)}


@pytest.mark.parametrize("name", FAVOURITES)
async def test_favourite_finds_something(driver: AsyncDriver, name: str) -> None:
    """Run as its header says, each one has an answer in the example."""
    assert await run(driver, name) != []


async def test_upstream_reaches_the_topics_and_stays_upstream(driver: AsyncDriver) -> None:
    """From the mart over dbt, Snowflake and Airflow to Kafka; nothing that only reads the mart."""
    found = names(await run(driver, "upstream_of_dataset", name=MART))

    assert {"orders.v1", "payments.v1", "inventory.v1", "load_orders", "stg_orders", MART} <= found
    assert found.isdisjoint({"customers.v1", "Executive overview", "mart_customer_ltv"})


async def test_downstream_reaches_dashboards_and_the_model(driver: AsyncDriver) -> None:
    """Impact crosses every kind of edge: jobs, charts, dashboards in dashboards, features and models."""
    rows = await run(driver, "impact_of_dataset", name="stg_orders")

    assert {"Executive overview", "Supply chain", "customer_churn", "customer_churn_scores"} <= {
        r["name"] for r in rows
    }
    assert [r["hops"] for r in rows] == sorted(r["hops"] for r in rows)


async def test_column_lineage_leaves_other_columns_alone(driver: AsyncDriver) -> None:
    """net_revenue comes from amounts and fees, not from the quantity beside them."""
    found = names(await run(driver, "column_lineage", name=MART, column="net_revenue"))

    assert {"net_revenue", "net_amount", "paid_amount", "gross_amount", "discount", "fee"} <= found
    assert found.isdisjoint({"quantity", "unit_cost", "order_id"})


async def test_pii_columns_are_named_one_by_one(driver: AsyncDriver) -> None:
    """The tagged column, not its neighbours, and the chart where it ends."""
    rows = {(r["table"], r["column"]): r["flowsInto"] for r in await run(driver, "pii_columns")}

    assert "customers_at_risk/email" in rows["customers.v1", "email"]
    assert ("customers.v1", "country") not in rows


async def test_the_forgotten_things_are_found(driver: AsyncDriver) -> None:
    """One orphan, one owner who left, one deprecated table which a chart still reads."""
    orphans = await run(driver, "orphan_datasets")
    unknown = await run(driver, "referenced_only")
    in_use = await run(driver, "deprecated_in_use")

    assert [row["name"] for row in orphans] == ["returns_backfill_2023"]
    assert [row["urn"] for row in unknown] == ["urn:li:corpuser:jonas.weber"]
    assert {node["name"] for row in in_use for node in row["read"].nodes} == {"daily_sales_export", "Sales by country"}


async def test_jobs_between_are_those_on_the_way(driver: AsyncDriver) -> None:
    """The load of payments is on the way from payments, the load of stock is not."""
    jobs = {row["job"] for row in await run(driver, "jobs_between")}

    assert {"load_payments", "score_customers"} <= jobs
    assert "load_inventory" not in jobs
