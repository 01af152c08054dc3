"""The metrics that Prometheus reads at `/metrics`."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

MEDIA_TYPE = CONTENT_TYPE_LATEST

requests = Counter("inkgan_requests", "Requests, by address and status.", ["path", "status"])
seconds = Histogram(
    "inkgan_request_seconds",
    "Time from the request's headers to the end of the answer.",
    ["path"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
in_progress = Gauge("inkgan_requests_in_progress", "Requests that are being answered.")


def exposed() -> bytes:
    """Return all metrics as text."""
    return generate_latest(REGISTRY)
