"""What `/metrics` tells Prometheus. Workers of one server add up."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

MEDIA_TYPE = CONTENT_TYPE_LATEST
#: The folder in which workers share their figures; prometheus-client reads it when it is imported.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

requests = Counter("inkgan_requests", "Requests, by address and status.", ["path", "status"])
seconds = Histogram(
    "inkgan_request_seconds",
    "Time from the request's headers to the end of the answer.",
    ["path"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
in_progress = Gauge("inkgan_requests_in_progress", "Requests that are being answered.", multiprocess_mode="livesum")


def exposed() -> bytes:
    """All figures as text."""
    if SHARED_FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
