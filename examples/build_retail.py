"""
Write retail.json: the metadata of an invented retailer's warehouse, as DataHub proposals.

The story: the shop's services publish orders, customers, payments, clicks and stock to Kafka; Airflow loads each topic
into Snowflake; dbt cleans (staging), joins (intermediate) and models (marts); Looker shows the marts; a model
predicts which customers will leave. One old table should be gone but a chart still reads it, one table is forgotten,
and the owner of both has left the company: something for each favourite in cypher/browser to find.

The tables below are the content and the functions under them the form. Table lineage is not written down: it is
what the columns read. Standard library only; the same input gives the same bytes.

    python examples/build_retail.py                       writes retail.json beside this file
    datahub ingest -c recipe.yml                          loads it, with `source: {type: file, config: {path: …}}`
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]

RUN_ID = "retail-example"
OBSERVED = int(datetime(2026, 10, 1, 6, 0, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR
STAMP: Json = {"time": OBSERVED, "actor": "urn:li:corpuser:maya.lindqvist"}


# --- people and words ------------------------------------------------------------------------------------------------

PLATFORMS = {  # name: (display name, type, delimiter in dataset names)
    "kafka": ("Kafka", "MESSAGE_BROKER", "."),
    "snowflake": ("Snowflake", "RELATIONAL_DB", "."),
    "dbt": ("dbt", "OTHERS", "."),
    "airflow": ("Airflow", "OTHERS", "."),
    "looker": ("Looker", "OTHERS", "."),
    "mlflow": ("MLflow", "OTHERS", "."),
}

USERS = {  # name: (full name, title, groups). jonas.weber is missing on purpose: he left, his tables did not.
    "maya.lindqvist": ("Maya Lindqvist", "Data engineer", ["data-platform"]),
    "tomas.novak": ("Tomas Novak", "Analytics engineer", ["analytics"]),
    "aiko.tanaka": ("Aiko Tanaka", "Head of sales", []),
    "sam.okafor": ("Sam Okafor", "Supply chain planner", []),
}

GROUPS = {
    "data-platform": ("Data Platform", "Runs Kafka, Airflow and Snowflake; on call for the loads."),
    "analytics": ("Analytics", "Owns the dbt models and the dashboards."),
}

TAGS = {  # name: (display name, description, colour)
    "pii": ("PII", "Personal data: names, addresses, e-mail. Masked outside production.", "#D32F2F"),
    "tier-1": ("Tier 1", "The board looks at it: page someone when it is late.", "#F9A825"),
    "experimental": ("Experimental", "May change or go without notice.", "#7B1FA2"),
}

GLOSSARY_NODE = ("retail-metrics", "Retail metrics", "Numbers which mean one thing, agreed by finance and sales.")

TERMS = {
    "net-revenue": ("Net Revenue", "Paid order value after discounts, refunds and payment fees, without VAT, in euro."),
    "customer-lifetime-value": (
        "Customer Lifetime Value",
        "Net revenue of a customer since the first order plus what is expected in the next 12 months.",
    ),
    "churn": ("Churn", "A customer who bought before and has not bought for 180 days."),
}

DOMAINS = {
    "sales": ("Sales", "Orders, payments and what the company earns."),
    "customers": ("Customers", "Who buys, how they behave and whether they stay."),
    "supply-chain": ("Supply Chain", "Products, warehouses and stock."),
}

CONTAINERS = {  # id: (name, subtype, parent, description)
    "retail": ("RETAIL", "Database", "", "The company's warehouse."),
    "retail.raw": ("RAW", "Schema", "retail", "One table a topic, as it came; nothing is cleaned here."),
    "retail.science": ("SCIENCE", "Schema", "retail", "What models read and write."),
    "retail.legacy": ("LEGACY", "Schema", "retail", "Left from the warehouse before 2024. To be removed."),
}


# --- datasets --------------------------------------------------------------------------------------------------------


class Dataset(NamedTuple):
    """
    One table, topic or model.

    `columns` has a line per column: name | type, marks | description | what it reads | how. Marks are `key`, `pii` and
    `term` (the column is what the dataset's term means); what it reads is `dataset/column,column dataset/column`.
    """

    platform: str
    path: str
    description: str
    domain: str
    columns: str
    technical: str = "data-platform"
    business: str = ""
    tags: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    properties: Json | None = None
    deprecated: str = ""
    link: tuple[str, str] = ("", "")

    @property
    def short(self) -> str:
        """What other tables here call it, and what people see."""
        return self.path if self.platform == "kafka" else self.path.rsplit(".", 1)[-1]

    @property
    def urn(self) -> str:
        return f"urn:li:dataset:(urn:li:dataPlatform:{self.platform},{self.path},PROD)"


class Column(NamedTuple):
    """One parsed line of `Dataset.columns`; `reads` are `dataset/column`."""

    name: str
    type: str
    marks: tuple[str, ...]
    reads: tuple[str, ...]
    how: str
    description: str


KINDS = {"kafka": "Topic", "snowflake": "Table", "dbt": "Model"}

TOPICS = [
    Dataset(
        "kafka",
        "orders.v1",
        "Every change of an order, captured from the shop's order database by Debezium.",
        "sales",
        """
        order_id    | string, key | Order number as the customer sees it
        customer_id | string      | Who ordered
        product_id  | string      | What was ordered; one message per order line
        quantity    | integer     | Pieces
        amount      | number      | Line value in euro, VAT included
        discount    | number      | Voucher value in euro
        status      | string      | placed, paid, shipped, returned
        placed_at   | time        | When the customer pressed buy
        """,
        business="aiko.tanaka",
        tags=("tier-1",),
        properties={"retention": "30 days", "partitions": "24", "cleanup.policy": "delete"},
        link=("https://wiki.example.com/events/orders", "Contract of the orders event"),
    ),
    Dataset(
        "kafka",
        "customers.v1",
        "Customer master data; the newest message of a key is the truth.",
        "customers",
        """
        customer_id  | string, key | Never reused
        full_name    | string, pii | As written on the parcel
        email        | string, pii | Login and address of all mail
        country      | string      | ISO 3166, two letters
        marketing_ok | boolean     | May we write to them
        created_at   | time        | First registration
        """,
        tags=("pii",),
        properties={"retention": "forever", "partitions": "12", "cleanup.policy": "compact"},
    ),
    Dataset(
        "kafka",
        "payments.v1",
        "Captures and refunds, as the payment provider reports them.",
        "sales",
        """
        payment_id  | string, key | The provider's number
        order_id    | string      | Order paid for
        amount      | number      | Euro; negative for a refund
        fee         | number      | What the provider keeps
        method      | string      | card, invoice, wallet
        captured_at | time        | When the money moved
        """,
        tags=("tier-1",),
        properties={"retention": "30 days", "partitions": "12", "cleanup.policy": "delete"},
    ),
    Dataset(
        "kafka",
        "clickstream.v1",
        "Page views and clicks of web shop and app, 40 million a day.",
        "customers",
        """
        event_id    | string, key | Random
        session_id  | string      | Ends after 30 idle minutes
        customer_id | string      | Absent until login
        page        | string      | Path, without its query
        ip_address  | string, pii | Last byte set to zero
        occurred_at | time        | The browser's clock
        """,
        properties={"retention": "7 days", "partitions": "48", "cleanup.policy": "delete"},
    ),
    Dataset(
        "kafka",
        "inventory.v1",
        "Stock of a product in a warehouse after each movement.",
        "supply-chain",
        """
        product_id   | string, key | Article number
        warehouse    | string, key | HAM, LYO or POZ
        product_name | string      | As in the shop
        category     | string      | Leaf of the shop's catalogue
        unit_cost    | number      | Euro, last purchase
        on_hand      | integer     | Pieces which can be sold
        moved_at     | time        | When the scanner saw it
        """,
        business="sam.okafor",
        properties={"retention": "30 days", "partitions": "6", "cleanup.policy": "compact"},
    ),
]

RAW_DETAIL = {  # topic: (raw table, description)
    "orders.v1": ("orders", "Order lines as they arrived, one row a change."),
    "customers.v1": ("customers", "Customer records as they arrived."),
    "payments.v1": ("payments", "Payments as they arrived."),
    "clickstream.v1": ("clickstream", "Clicks as they arrived; partitioned by hour."),
    "inventory.v1": ("inventory", "Stock movements as they arrived."),
}

STAGING = [
    Dataset(
        "dbt",
        "retail.staging.stg_orders",
        "The newest state of each order line, typed and without test orders.",
        "sales",
        """
        order_id     | string, key | Order number                    | orders/order_id
        customer_id  | string      | Who ordered                     | orders/customer_id
        product_id   | string      | What was ordered                | orders/product_id
        quantity     | integer     | Pieces                          | orders/quantity
        gross_amount | number      | Euro, VAT included              | orders/amount,discount | amount - discount
        status       | string      | placed, paid, shipped, returned | orders/status | lower(status)
        order_date   | date        | Day in the shop's time zone     | orders/placed_at | placed_at::date
        """,
        technical="tomas.novak",
        properties={"materialization": "view"},
    ),
    Dataset(
        "dbt",
        "retail.staging.stg_customers",
        "One row per customer, deleted accounts left out.",
        "customers",
        """
        customer_id    | string, key | Never reused             | customers/customer_id
        full_name      | string, pii | As written on the parcel | customers/full_name | trim(full_name)
        email          | string, pii | Login                    | customers/email | lower(email)
        country        | string      | ISO 3166, two letters    | customers/country | upper(country)
        marketing_ok   | boolean     | May we write to them     | customers/marketing_ok
        customer_since | date        | First registration       | customers/created_at | created_at::date
        """,
        technical="tomas.novak",
        properties={"materialization": "view"},
        tags=("pii",),
    ),
    Dataset(
        "dbt",
        "retail.staging.stg_payments",
        "One row per capture or refund.",
        "sales",
        """
        payment_id  | string, key | The provider's number       | payments/payment_id
        order_id    | string      | Order paid for              | payments/order_id
        paid_amount | number      | Euro; negative for a refund | payments/amount
        fee         | number      | What the provider keeps     | payments/fee | coalesce(fee, 0)
        method      | string      | card, invoice, wallet       | payments/method
        paid_date   | date        | Day the money moved         | payments/captured_at | captured_at::date
        """,
        technical="tomas.novak",
        properties={"materialization": "view"},
    ),
    Dataset(
        "dbt",
        "retail.staging.stg_clickstream",
        "Clicks without robots and without our own offices.",
        "customers",
        """
        session_id  | string | Ends after 30 idle minutes  | clickstream/session_id
        customer_id | string | Absent until login          | clickstream/customer_id
        step        | string | visit, cart, checkout, paid | clickstream/page | case when page like '/cart%' …
        occurred_at | time   | Corrected for wrong clocks  | clickstream/occurred_at
        """,
        technical="tomas.novak",
        properties={"materialization": "incremental"},
    ),
    Dataset(
        "dbt",
        "retail.staging.stg_inventory",
        "Stock at the end of each day.",
        "supply-chain",
        """
        product_id   | string, key | Article number        | inventory/product_id
        warehouse    | string, key | HAM, LYO or POZ       | inventory/warehouse
        product_name | string      | As in the shop        | inventory/product_name
        category     | string      | Leaf of the catalogue | inventory/category
        unit_cost    | number      | Euro, last purchase   | inventory/unit_cost
        on_hand      | integer     | Pieces                | inventory/on_hand | last_value(on_hand)
        stock_date   | date        | End of this day       | inventory/moved_at | moved_at::date
        """,
        technical="tomas.novak",
        properties={"materialization": "incremental"},
    ),
    Dataset(
        "dbt",
        "retail.intermediate.int_orders_paid",
        "Order lines with what was really paid for them.",
        "sales",
        """
        order_id    | string, key | Order number               | stg_orders/order_id
        customer_id | string      | Who ordered                | stg_orders/customer_id
        product_id  | string      | What was ordered           | stg_orders/product_id
        quantity    | integer     | Pieces                     | stg_orders/quantity
        paid_amount | number | Euro, with VAT | stg_orders/gross_amount stg_payments/paid_amount | least(gross, paid)
        fee         | number      | The line's part of the fee | stg_payments/fee | fee * share
        order_date  | date        | Day of the order           | stg_orders/order_date
        """,
        technical="tomas.novak",
        properties={"materialization": "ephemeral"},
    ),
]

MARTS = [
    Dataset(
        "dbt",
        "retail.marts.fct_orders",
        "One row per paid order line. Start here for anything about sales.",
        "sales",
        """
        order_id    | string, key | Order number        | int_orders_paid/order_id
        customer_id | string      | Joins dim_customers | int_orders_paid/customer_id
        product_id  | string      | Joins dim_products  | int_orders_paid/product_id
        quantity    | integer     | Pieces              | int_orders_paid/quantity
        net_amount  | number      | Euro, without VAT   | int_orders_paid/paid_amount,fee | paid_amount / 1.19 - fee
        order_date  | date        | Day of the order    | int_orders_paid/order_date
        """,
        technical="analytics",
        business="aiko.tanaka",
        tags=("tier-1",),
        properties={"materialization": "incremental"},
        link=("https://wiki.example.com/marts/fct_orders", "How refunds are booked"),
    ),
    Dataset(
        "dbt",
        "retail.marts.fct_payments",
        "Payments and refunds per day and method.",
        "sales",
        """
        paid_date   | date, key   | Day the money moved   | stg_payments/paid_date
        method      | string, key | card, invoice, wallet | stg_payments/method
        paid_amount | number      | Euro                  | stg_payments/paid_amount | sum(paid_amount)
        fees        | number      | Euro                  | stg_payments/fee | sum(fee)
        """,
        technical="analytics",
        properties={"materialization": "table"},
    ),
    Dataset(
        "dbt",
        "retail.marts.fct_sessions",
        "One row per visit, with the step where it ended.",
        "customers",
        """
        session_id  | string, key | The visit                    | stg_clickstream/session_id
        customer_id | string      | Absent when nobody logged in | stg_clickstream/customer_id | max(customer_id)
        last_step   | string      | visit, cart, checkout, paid  | stg_clickstream/step | max_by(step, occurred_at)
        started_at  | time        | First click                  | stg_clickstream/occurred_at | min(occurred_at)
        """,
        technical="analytics",
        properties={"materialization": "incremental"},
    ),
    Dataset(
        "dbt",
        "retail.marts.dim_customers",
        "One row per customer.",
        "customers",
        """
        customer_id    | string, key | Never reused             | stg_customers/customer_id
        full_name      | string, pii | As written on the parcel | stg_customers/full_name
        email          | string, pii | Login                    | stg_customers/email
        country        | string      | ISO 3166, two letters    | stg_customers/country
        customer_since | date        | First registration       | stg_customers/customer_since
        """,
        technical="analytics",
        tags=("pii", "tier-1"),
        properties={"materialization": "table"},
    ),
    Dataset(
        "dbt",
        "retail.marts.dim_products",
        "One row per product.",
        "supply-chain",
        """
        product_id   | string, key | Article number        | stg_inventory/product_id
        product_name | string      | As in the shop        | stg_inventory/product_name
        category     | string      | Leaf of the catalogue | stg_inventory/category
        unit_cost    | number      | Euro, last purchase   | stg_inventory/unit_cost | max_by(unit_cost, stock_date)
        """,
        technical="analytics",
        business="sam.okafor",
        properties={"materialization": "table"},
    ),
    Dataset(
        "dbt",
        "retail.marts.mart_daily_revenue",
        "Revenue and margin per day and category; the number in the board's Monday mail.",
        "sales",
        """
        order_date   | date, key   | Day of the order      | fct_orders/order_date
        category     | string, key | Leaf of the catalogue | dim_products/category
        orders       | integer     | Paid orders           | fct_orders/order_id | count(distinct order_id)
        net_revenue  | number, term | Euro, without VAT     | fct_orders/net_amount | sum(net_amount)
        margin | number | Euro | fct_orders/net_amount,quantity dim_products/unit_cost | sum(net - quantity * cost)
        payment_fees | number      | Euro, all methods     | fct_payments/fees | sum(fees)
        """,
        technical="analytics",
        business="aiko.tanaka",
        tags=("tier-1",),
        terms=("net-revenue",),
        properties={"materialization": "table", "sla": "06:00 CET"},
        link=("https://wiki.example.com/metrics/net-revenue", "How net revenue is defined"),
    ),
    Dataset(
        "dbt",
        "retail.marts.mart_customer_ltv",
        "What each customer has been worth so far and may be worth next year.",
        "customers",
        """
        customer_id     | string, key | Joins dim_customers    | dim_customers/customer_id
        email           | string, pii | For the campaign tool  | dim_customers/email
        country         | string      | ISO 3166, two letters  | dim_customers/country
        orders_90d | integer | Paid orders | fct_orders/order_id,order_date | count in the last 90 days
        last_order_date | date        | Newest paid order      | fct_orders/order_date | max(order_date)
        visits_90d      | integer     | Visits while logged in | fct_sessions/session_id | count in the last 90 days
        lifetime_value | number, term | Euro | fct_orders/net_amount dim_customers/customer_since | sum(net) + forecast
        """,
        technical="analytics",
        business="aiko.tanaka",
        tags=("pii",),
        terms=("customer-lifetime-value",),
        properties={"materialization": "table"},
    ),
    Dataset(
        "dbt",
        "retail.marts.mart_stock_cover",
        "For how many days the stock will last at the pace of the last four weeks.",
        "supply-chain",
        """
        product_id    | string, key | Article number  | dim_products/product_id
        warehouse     | string, key | HAM, LYO or POZ | stg_inventory/warehouse
        on_hand       | integer     | Pieces          | stg_inventory/on_hand
        days_of_cover | number | Days | stg_inventory/on_hand fct_orders/quantity | on_hand / (sum(quantity) / 28)
        """,
        technical="analytics",
        business="sam.okafor",
        properties={"materialization": "table"},
    ),
]

OTHER_TABLES = [
    Dataset(
        "snowflake",
        "retail.science.customer_churn_scores",
        "How likely each customer is to leave, scored every night.",
        "customers",
        """
        customer_id       | string, key | Joins dim_customers | mart_customer_ltv/customer_id
        churn_probability | number, term | 0 to 1 | mart_customer_ltv/orders_90d,last_order_date,visits_90d | predict
        """,
        technical="maya.lindqvist",
        tags=("experimental",),
        terms=("churn",),
    ),
    Dataset(
        "snowflake",
        "retail.legacy.daily_sales_export",
        "Sales per country and day for the spreadsheet of 2022.",
        "sales",
        """
        sales_date | date   | UTC, not the shop's time zone | orders/placed_at | placed_at::date
        country    | string | As typed by the customer      | customers/country
        sales      | number | VAT and returns included      | orders/amount | sum(amount)
        """,
        technical="jonas.weber",
        deprecated="Counts VAT and returns as revenue. Use mart_daily_revenue.",
    ),
    Dataset(
        "snowflake",
        "retail.legacy.returns_backfill_2023",
        "A one-off load of paper returns.",
        "sales",
        """
        order_id    | string | Order number, as typed by hand
        returned_on | date   | Day the parcel came back
        reason      | string | Free text
        """,
        technical="jonas.weber",
    ),
]


# --- what moves and shows the data -----------------------------------------------------------------------------------

FLOWS = {
    "kafka_to_snowflake": ("Loads every topic into its RAW table, every 15 minutes.", "*/15 * * * *"),
    "dbt_daily": ("Builds and tests the dbt project.", "0 4 * * *"),
    "customer_churn": ("Trains and applies the churn model.", "0 5 * * *"),
}


class Job(NamedTuple):
    """One Airflow task; its column lineage comes from the tables it writes."""

    flow: str
    name: str
    description: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    owner: str = "data-platform"

    @property
    def urn(self) -> str:
        return f"urn:li:dataJob:({flow_urn(self.flow)},{self.name})"


LOADS = [
    Job("kafka_to_snowflake", f"load_{table}", f"Copies new messages of {topic} to RAW.", (topic,), (table,))
    for topic, (table, _) in RAW_DETAIL.items()
]

JOBS = [
    *LOADS,
    Job(
        "dbt_daily",
        "dbt_staging",
        "dbt build --select staging intermediate",
        after=tuple(job.name for job in LOADS),
        owner="analytics",
    ),
    Job("dbt_daily", "dbt_marts", "dbt build --select marts", after=("dbt_staging",), owner="analytics"),
    Job(
        "customer_churn",
        "train_churn_model",
        "Fits the model on two years of customers, on Sundays.",
        ("mart_customer_ltv",),
        after=("dbt_marts",),
        owner="maya.lindqvist",
    ),
    Job(
        "customer_churn",
        "score_customers",
        "Applies the newest model to every customer.",
        ("mart_customer_ltv",),
        ("customer_churn_scores",),
        after=("train_churn_model",),
        owner="maya.lindqvist",
    ),
]

MODEL = "urn:li:mlModel:(urn:li:dataPlatform:mlflow,customer_churn,PROD)"
MODEL_GROUP = "urn:li:mlModelGroup:(urn:li:dataPlatform:mlflow,retention,PROD)"
FEATURE = "urn:li:mlFeature:(customer,orders_90d)"


class Chart(NamedTuple):
    """One Looker tile: field -> column it shows."""

    title: str
    type: str
    description: str
    domain: str
    fields: dict[str, str]
    owner: str = "analytics"


CHARTS = {
    "daily_net_revenue": Chart(
        "Daily net revenue",
        "LINE",
        "Net revenue per day against last year.",
        "sales",
        {"day": "mart_daily_revenue/order_date", "net_revenue": "mart_daily_revenue/net_revenue"},
    ),
    "margin_by_category": Chart(
        "Margin by category",
        "BAR",
        "Where the money is made.",
        "sales",
        {"category": "mart_daily_revenue/category", "margin": "mart_daily_revenue/margin"},
    ),
    "conversion_funnel": Chart(
        "Conversion funnel",
        "BAR",
        "Where visits end.",
        "customers",
        {"step": "fct_sessions/last_step", "visits": "fct_sessions/session_id"},
    ),
    "customers_at_risk": Chart(
        "Valuable customers at risk",
        "TABLE",
        "High lifetime value, high churn probability.",
        "customers",
        {
            "email": "mart_customer_ltv/email",
            "lifetime_value": "mart_customer_ltv/lifetime_value",
            "churn_probability": "customer_churn_scores/churn_probability",
        },
    ),
    "stock_cover": Chart(
        "Days of stock cover",
        "TABLE",
        "Products which will run out within two weeks.",
        "supply-chain",
        {"product": "dim_products/product_name", "days_of_cover": "mart_stock_cover/days_of_cover"},
        owner="sam.okafor",
    ),
    "sales_by_country": Chart(
        "Sales by country",
        "PIE",
        "Still reads the old export; to be rebuilt on fct_orders.",
        "sales",
        {"country": "daily_sales_export/country", "sales": "daily_sales_export/sales"},
        owner="aiko.tanaka",
    ),
}

DASHBOARDS = {  # id: (title, description, domain, charts, dashboards it embeds, owner)
    "supply_chain": ("Supply chain", "What to order today.", "supply-chain", ["stock_cover"], [], "sam.okafor"),
    "customer_insights": (
        "Customer insights",
        "Who comes, who buys, who leaves.",
        "customers",
        ["conversion_funnel", "customers_at_risk"],
        [],
        "analytics",
    ),
    "executive_overview": (
        "Executive overview",
        "The company on one page, for the Monday meeting.",
        "sales",
        ["daily_net_revenue", "margin_by_category", "sales_by_country"],
        ["customer_insights"],
        "aiko.tanaka",
    ),
}

OPERATIONS = {  # dataset: (age of the last write, rows)
    "orders": (HOUR // 4, 1_812),
    "mart_daily_revenue": (HOUR, 38),
    "daily_sales_export": (200 * DAY, 27),
}

PROFILES = {  # dataset: rows, oldest day first
    "fct_orders": (48_210_377, 48_301_554),
    "mart_daily_revenue": (41_882, 41_920),
}


# --- tables to proposals ---------------------------------------------------------------------------------------------

NATIVE = {  # type: (class of the field type, in Kafka's Avro, in Snowflake)
    "string": ("StringType", "string", "VARCHAR"),
    "integer": ("NumberType", "long", "NUMBER(38,0)"),
    "number": ("NumberType", "bytes(decimal)", "NUMBER(18,2)"),
    "boolean": ("BooleanType", "boolean", "BOOLEAN"),
    "date": ("DateType", "int(date)", "DATE"),
    "time": ("TimeType", "long(timestamp-millis)", "TIMESTAMP_NTZ"),
}


def columns_of(dataset: Dataset) -> list[Column]:
    """The lines of its column table, parsed."""
    found = []
    for line in dataset.columns.strip().splitlines():
        name, kind, description, reads, how = ([cell.strip() for cell in line.split("|")] + ["", ""])[:5]
        type_, *marks = kind.split(", ")
        sources = [
            f"{source.partition('/')[0]}/{column}"
            for source in reads.split()
            for column in source.partition("/")[2].split(",")
        ]
        found.append(Column(name, type_, tuple(marks), tuple(sources), how, description))
    return found


def raw_table(topic: Dataset) -> Dataset:
    """The Snowflake table which holds a topic: the same columns, read one to one."""
    name, description = RAW_DETAIL[topic.path]
    lines = [
        " | ".join((c.name, ", ".join((c.type, *c.marks)), c.description, f"{topic.path}/{c.name}"))
        for c in columns_of(topic)
    ]
    return Dataset(
        "snowflake",
        f"retail.raw.{name}",
        description,
        topic.domain,
        "\n".join(lines),
        tags=tuple(tag for tag in topic.tags if tag == "pii"),
    )


DATASETS = [*TOPICS, *(raw_table(topic) for topic in TOPICS), *STAGING, *MARTS, *OTHER_TABLES]
BY_NAME = {dataset.short: dataset for dataset in DATASETS}
JOB_BY_NAME = {job.name: job for job in JOBS}
WRITTEN_BY_JOBS = {name for job in JOBS for name in job.writes}


def owner_urn(name: str) -> str:
    return f"urn:li:corpGroup:{name}" if name in GROUPS else f"urn:li:corpuser:{name}"


def flow_urn(name: str) -> str:
    return f"urn:li:dataFlow:(airflow,{name},prod)"


def chart_urn(name: str) -> str:
    return f"urn:li:chart:(looker,{name})"


def dashboard_urn(name: str) -> str:
    return f"urn:li:dashboard:(looker,{name})"


def field_urn(parent: str, column: str) -> str:
    return f"urn:li:schemaField:({parent},{column})"


def source_urn(source: str) -> str:
    """`fct_orders/net_amount` -> the URN of that column."""
    dataset, column = source.split("/")
    return field_urn(BY_NAME[dataset].urn, column)


def proposal(urn: str, aspect: str, value: Json) -> Json:
    """One line of retail.json, in the form of DataHub's file source."""
    return {
        "entityType": urn.split(":")[2],
        "entityUrn": urn,
        "changeType": "UPSERT",
        "aspectName": aspect,
        "aspect": {"json": value},
        "systemMetadata": {"lastObserved": OBSERVED, "runId": RUN_ID},
    }


def edge(urn: str) -> Json:
    return {"destinationUrn": urn, "created": STAMP, "lastModified": STAMP}


def tags(names: tuple[str, ...]) -> Json:
    return {"tags": [{"tag": f"urn:li:tag:{name}"} for name in names]}


def terms(names: tuple[str, ...]) -> Json:
    return {"terms": [{"urn": f"urn:li:glossaryTerm:{name}"} for name in names], "auditStamp": STAMP}


def ownership(technical: str, business: str = "") -> Json:
    owners = [{"owner": owner_urn(technical), "type": "TECHNICAL_OWNER"}]
    if business:
        owners.append({"owner": owner_urn(business), "type": "BUSINESS_OWNER"})
    return {"owners": owners, "lastModified": STAMP}


def in_domain(name: str) -> Json:
    return {"domains": [f"urn:li:domain:{name}"]}


def changed() -> Json:
    return {"created": STAMP, "lastModified": STAMP}


def schema_field(column: Column, platform: str, meaning: tuple[str, ...] = ()) -> Json:
    kind, avro, sql = NATIVE[column.type]
    field: Json = {
        "fieldPath": column.name,
        "nullable": "key" not in column.marks,
        "description": column.description,
        "type": {"type": {f"com.linkedin.schema.{kind}": {}}},
        "nativeDataType": avro if platform == "kafka" else sql,
        "recursive": False,
        "isPartOfKey": "key" in column.marks,
    }
    if "pii" in column.marks:
        field["globalTags"] = tags(("pii",))
    if "term" in column.marks:
        field["glossaryTerms"] = terms(meaning)
    return field


def schema_metadata(dataset: Dataset) -> Json:
    return {
        "schemaName": dataset.path,
        "platform": f"urn:li:dataPlatform:{dataset.platform}",
        "version": 0,
        "created": STAMP,
        "lastModified": STAMP,
        "hash": "",
        "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
        "fields": [schema_field(column, dataset.platform, dataset.terms) for column in columns_of(dataset)],
    }


def column_lineage(dataset: Dataset) -> list[Json]:
    """One entry per column which reads others."""
    return [
        {
            "upstreamType": "FIELD_SET",
            "upstreams": [source_urn(source) for source in column.reads],
            "downstreamType": "FIELD",
            "downstreams": [field_urn(dataset.urn, column.name)],
            "transformOperation": column.how or "IDENTITY",
            "confidenceScore": 1.0,
        }
        for column in columns_of(dataset)
        if column.reads
    ]


def upstream_lineage(dataset: Dataset) -> Json:
    """The tables its columns read, in the order of first use."""
    names = dict.fromkeys(source.split("/")[0] for column in columns_of(dataset) for source in column.reads)
    return {
        "upstreams": [{"auditStamp": STAMP, "dataset": BY_NAME[name].urn, "type": "TRANSFORMED"} for name in names],
        "fineGrainedLineages": column_lineage(dataset),
    }


def dataset_proposals(dataset: Dataset) -> Iterator[Json]:
    urn = dataset.urn
    properties = {"name": dataset.short, "qualifiedName": dataset.path, "description": dataset.description}
    yield proposal(urn, "datasetProperties", {**properties, "customProperties": dataset.properties or {}})
    yield proposal(urn, "subTypes", {"typeNames": [KINDS[dataset.platform]]})
    yield proposal(urn, "status", {"removed": False})
    yield proposal(urn, "schemaMetadata", schema_metadata(dataset))
    yield proposal(urn, "ownership", ownership(dataset.technical, dataset.business))
    yield proposal(urn, "domains", in_domain(dataset.domain))
    if dataset.platform == "snowflake":
        container = dataset.path.rsplit(".", 1)[0]
        yield proposal(urn, "container", {"container": f"urn:li:container:{container}"})
    if dataset.tags:
        yield proposal(urn, "globalTags", tags(dataset.tags))
    if dataset.terms:
        yield proposal(urn, "glossaryTerms", terms(dataset.terms))
    if dataset.deprecated:
        actor = owner_urn("tomas.novak")
        yield proposal(urn, "deprecation", {"deprecated": True, "note": dataset.deprecated, "actor": actor})
    if dataset.link[0]:
        url, description = dataset.link
        element = {"url": url, "description": description, "createStamp": STAMP}
        yield proposal(urn, "institutionalMemory", {"elements": [element]})
    if dataset.short not in WRITTEN_BY_JOBS and any(column.reads for column in columns_of(dataset)):
        yield proposal(urn, "upstreamLineage", upstream_lineage(dataset))


def vocabulary() -> Iterator[Json]:
    """Platforms, people, tags, glossary, domains and containers: all that others point to."""
    for name, (display, kind, delimiter) in PLATFORMS.items():
        info = {"name": name, "displayName": display, "type": kind, "datasetNameDelimiter": delimiter}
        yield proposal(f"urn:li:dataPlatform:{name}", "dataPlatformInfo", info)
    for name, (full_name, title, groups) in USERS.items():
        info = {"active": True, "displayName": full_name, "fullName": full_name, "title": title}
        email = f"{name}@retail.example.com"
        yield proposal(owner_urn(name), "corpUserInfo", {**info, "email": email})
        yield proposal(owner_urn(name), "status", {"removed": False})
        if groups:
            members = {"groups": [owner_urn(group) for group in groups]}
            yield proposal(owner_urn(name), "groupMembership", members)
    for name, (display, description) in GROUPS.items():
        info = {"displayName": display, "description": description, "admins": [], "members": [], "groups": []}
        yield proposal(owner_urn(name), "corpGroupInfo", info)
    for name, (display, description, colour) in TAGS.items():
        properties = {"name": display, "description": description, "colorHex": colour}
        yield proposal(f"urn:li:tag:{name}", "tagProperties", properties)
    node, display, definition = GLOSSARY_NODE
    yield proposal(f"urn:li:glossaryNode:{node}", "glossaryNodeInfo", {"name": display, "definition": definition})
    for name, (display, definition) in TERMS.items():
        info = {"name": display, "definition": definition, "termSource": "INTERNAL"}
        parent = f"urn:li:glossaryNode:{node}"
        yield proposal(f"urn:li:glossaryTerm:{name}", "glossaryTermInfo", {**info, "parentNode": parent})
    for name, (display, description) in DOMAINS.items():
        properties = {"name": display, "description": description, "created": STAMP}
        yield proposal(f"urn:li:domain:{name}", "domainProperties", properties)
    for name, (display, kind, parent, description) in CONTAINERS.items():
        urn = f"urn:li:container:{name}"
        properties = {"name": display, "qualifiedName": name, "description": description}
        yield proposal(urn, "containerProperties", properties)
        yield proposal(urn, "subTypes", {"typeNames": [kind]})
        yield proposal(urn, "dataPlatformInstance", {"platform": "urn:li:dataPlatform:snowflake"})
        if parent:
            yield proposal(urn, "container", {"container": f"urn:li:container:{parent}"})


def flow_proposals(name: str) -> Iterator[Json]:
    description, schedule = FLOWS[name]
    info = {"name": name, "description": description, "customProperties": {"schedule": schedule}}
    yield proposal(flow_urn(name), "dataFlowInfo", info)
    yield proposal(flow_urn(name), "ownership", ownership("data-platform"))


def job_proposals(job: Job) -> Iterator[Json]:
    info = {"name": job.name, "description": job.description, "type": {"string": "COMMAND"}}
    yield proposal(job.urn, "dataJobInfo", {**info, "flowUrn": flow_urn(job.flow)})
    yield proposal(
        job.urn,
        "dataJobInputOutput",
        {
            "inputDatasets": [],
            "outputDatasets": [],
            "inputDatasetEdges": [edge(BY_NAME[name].urn) for name in job.reads],
            "outputDatasetEdges": [edge(BY_NAME[name].urn) for name in job.writes],
            "inputDatajobEdges": [edge(JOB_BY_NAME[name].urn) for name in job.after],
            "fineGrainedLineages": [entry for name in job.writes for entry in column_lineage(BY_NAME[name])],
        },
    )
    yield proposal(job.urn, "ownership", ownership(job.owner))


def model_proposals() -> Iterator[Json]:
    """The churn model: trained by one job, used by another, fed by a feature of a mart, one of a group."""
    yield proposal(
        FEATURE,
        "mlFeatureProperties",
        {
            "description": "Paid orders of the last 90 days.",
            "dataType": "COUNT",
            "sources": [BY_NAME["mart_customer_ltv"].urn],
        },
    )
    group = {"name": "Retention models", "description": "Everything which tells who will stay."}
    yield proposal(MODEL_GROUP, "mlModelGroupProperties", group)
    yield proposal(
        MODEL,
        "mlModelProperties",
        {
            "name": "customer_churn",
            "description": "Gradient boosting on orders, visits and recency; AUC 0.87.",
            "type": "LightGBM",
            "trainingJobs": [JOB_BY_NAME["train_churn_model"].urn],
            "downstreamJobs": [JOB_BY_NAME["score_customers"].urn],
            "mlFeatures": [FEATURE],
            "groups": [MODEL_GROUP],
        },
    )
    yield proposal(MODEL, "ownership", ownership("maya.lindqvist"))
    yield proposal(MODEL, "domains", in_domain("customers"))


def chart_proposals(name: str, chart: Chart) -> Iterator[Json]:
    urn = chart_urn(name)
    datasets = dict.fromkeys(source.split("/")[0] for source in chart.fields.values())
    yield proposal(
        urn,
        "chartInfo",
        {
            "title": chart.title,
            "description": chart.description,
            "lastModified": changed(),
            "chartUrl": f"https://looker.example.com/looks/{name}",
            "type": chart.type,
            "inputs": [{"string": BY_NAME[dataset].urn} for dataset in datasets],
        },
    )
    shown = []
    for field, source in chart.fields.items():
        dataset, column_name = source.split("/")
        column = next(c for c in columns_of(BY_NAME[dataset]) if c.name == column_name)
        shown_as = Column(field, column.type, (), (), "", column.description)
        shown.append({"schemaFieldUrn": source_urn(source), "schemaField": schema_field(shown_as, "looker")})
    yield proposal(urn, "inputFields", {"fields": shown})
    yield proposal(urn, "ownership", ownership(chart.owner))
    yield proposal(urn, "domains", in_domain(chart.domain))


def dashboard_proposals(name: str) -> Iterator[Json]:
    title, description, domain, charts, dashboards, owner = DASHBOARDS[name]
    urn = dashboard_urn(name)
    yield proposal(
        urn,
        "dashboardInfo",
        {
            "title": title,
            "description": description,
            "charts": [],
            "chartEdges": [edge(chart_urn(chart)) for chart in charts],
            "datasets": [],
            "dashboards": [edge(dashboard_urn(other)) for other in dashboards],
            "lastModified": changed(),
            "dashboardUrl": f"https://looker.example.com/dashboards/{name}",
        },
    )
    yield proposal(urn, "ownership", ownership(owner))
    yield proposal(urn, "domains", in_domain(domain))
    if name == "executive_overview":
        yield proposal(urn, "globalTags", tags(("tier-1",)))


def timeseries() -> Iterator[Json]:
    """Points in time: last writes and row counts."""
    for name, (age, rows) in OPERATIONS.items():
        at = OBSERVED - age
        point = {"timestampMillis": at, "operationType": "INSERT", "lastUpdatedTimestamp": at}
        yield proposal(BY_NAME[name].urn, "operation", {**point, "numAffectedRows": rows})
    for name, counts in PROFILES.items():
        width = len(columns_of(BY_NAME[name]))
        for days_ago, rows in zip(range(len(counts) - 1, -1, -1), counts, strict=True):
            point = {"timestampMillis": OBSERVED - days_ago * DAY, "rowCount": rows, "columnCount": width}
            yield proposal(BY_NAME[name].urn, "datasetProfile", point)


def build() -> list[Json]:
    """All proposals, what is pointed to before what points."""
    found = [*vocabulary()]
    for dataset in DATASETS:
        found += dataset_proposals(dataset)
    for flow in FLOWS:
        found += flow_proposals(flow)
    for job in JOBS:
        found += job_proposals(job)
    found += model_proposals()
    for name, chart in CHARTS.items():
        found += chart_proposals(name, chart)
    for name in DASHBOARDS:
        found += dashboard_proposals(name)
    return [*found, *timeseries()]


def render(proposals: list[Json]) -> str:
    """A JSON list with a line per proposal, so that a diff shows what changed."""
    return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in proposals) + "\n]\n"


def main() -> None:
    target = Path(__file__).with_name("retail.json")
    proposals = build()
    target.write_text(render(proposals), encoding="utf-8")
    entities = len({item["entityUrn"] for item in proposals})
    print(f"{target.name}: {len(proposals)} proposals about {entities} entities")


if __name__ == "__main__":
    main()
