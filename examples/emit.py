"""
Push metadata from Python: a table with its columns, where it comes from, and who owns it.

    python examples/emit.py                          # to http://127.0.0.1:8080, over REST
    python examples/emit.py --kafka 127.0.0.1:9092   # over Kafka; the schema registry is the server's
"""

import argparse
import os
from collections.abc import Iterator

from graphsvc.client import EmitError, KafkaEmitter, Proposal, RestEmitter

ORDERS = "urn:li:dataset:(urn:li:dataPlatform:hive,emit.orders,PROD)"
TOPIC = "urn:li:dataset:(urn:li:dataPlatform:kafka,emit.orders,PROD)"
OWNER = "urn:li:corpGroup:sales-data"


def proposals() -> Iterator[Proposal]:
    """Each one is one aspect of one entity; sending them again changes nothing."""
    yield Proposal(ORDERS, "datasetProperties", {"name": "orders", "description": "One row per order."})
    yield Proposal(
        ORDERS,
        "schemaMetadata",
        {
            "schemaName": "orders",
            "platform": "urn:li:dataPlatform:hive",
            "version": 0,
            "hash": "",
            "platformSchema": {"com.linkedin.schema.OtherSchema": {"rawSchema": ""}},
            "fields": [
                {
                    "fieldPath": name,
                    "nativeDataType": kind,
                    "type": {"type": {f"com.linkedin.schema.{pegasus}Type": {}}},
                }
                for name, kind, pegasus in (("id", "bigint", "Number"), ("placed_at", "timestamp", "Time"))
            ],
        },
    )
    yield Proposal(ORDERS, "upstreamLineage", {"upstreams": [{"dataset": TOPIC, "type": "TRANSFORMED"}]})
    yield Proposal(ORDERS, "ownership", {"owners": [{"owner": OWNER, "type": "TECHNICAL_OWNER"}]})
    yield Proposal(OWNER, "corpGroupInfo", {"displayName": "Sales data", "admins": [], "members": [], "groups": []})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--kafka", help="host:port,… of the brokers")
    args = parser.parse_args()
    token = os.environ.get("GRAPHSVC_HTTP__TOKEN")
    emitter: KafkaEmitter | RestEmitter
    if args.kafka:
        emitter = KafkaEmitter(args.kafka, registry_url=f"{args.server}/schema-registry/api", token=token)
    else:
        emitter = RestEmitter(args.server, token=token)
    try:
        with emitter:
            emitter.emit_all(proposals())
    except EmitError as error:
        for failure in error.failures:
            print(f"{failure.urn} {failure.aspect}: {failure.reason}")
        raise SystemExit(1) from error
    print("5 aspects sent")


if __name__ == "__main__":
    main()
