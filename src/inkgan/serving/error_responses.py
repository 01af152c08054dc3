"""Responses that are errors: JSON with one line."""

from __future__ import annotations

import json

from starlette.responses import Response

#: How many seconds a client should wait when there is no room.
RETRY_AFTER = "1"


def error_response(status: int, line: str, **headers: str) -> Response:
    """An error as a response.

    Args:
        status: of HTTP.
        line: what was given, and what is allowed.
        headers: their names with ``_`` for ``-``.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = json.dumps({"error": " ".join(line.split())})
    return Response(content, status, named | {"Cache-Control": "no-store"}, "application/json")


def unavailable(line: str) -> Response:
    """503: try again in a moment."""
    return error_response(503, line, Retry_After=RETRY_AFTER)
