"""What is counted, for `/metrics`. Retries of transactions are counted by stamina itself (`stamina_retries_total`)."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from graphsvc.errors import GraphsvcError

SIZES = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)

PROPOSALS = Counter("graphsvc_proposals", "Proposals by what became of them.", ["door", "result"])
BATCH = Histogram("graphsvc_batch_proposals", "Proposals in a batch.", ["door"], buckets=SIZES)
DEAD_LETTERS = Counter("graphsvc_dead_letters", "Records that were dead-lettered, by error.", ["error"])
FENCED = Counter("graphsvc_fenced", "Batches dropped because another consumer had moved on in the partition.")
LAG = Gauge("graphsvc_consumer_lag", "Records of a partition that wait to be applied.", ["topic", "partition"])
PUBLISHED = Counter("graphsvc_published", "Records of the outbox that were published.")
OUTBOX = Gauge("graphsvc_outbox_records", "Records that wait in the outbox, as the relay last saw it.")


def count(door: str, answers: Sequence[object], accepted: str = "applied") -> None:
    """
    Count a batch that was answered.

    Args:
        door: `rest` or `kafka`.
        answers: Per proposal; an error says that it was refused.
        accepted: What the others are: `applied`, or `queued` for the consumer.
    """
    refused = sum(isinstance(answer, GraphsvcError) for answer in answers)
    BATCH.labels(door).observe(len(answers))
    PROPOSALS.labels(door, accepted).inc(len(answers) - refused)
    PROPOSALS.labels(door, "refused").inc(refused)
