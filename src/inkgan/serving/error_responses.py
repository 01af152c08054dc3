"""Errors as responses: JSON with a one-line message."""

from __future__ import annotations

import json

from starlette.responses import Response


def error_response(status: int, line: str, **headers: str) -> Response:
    """Return an error as a response.

    Args:
        status: the HTTP status.
        line: the message: what was given, and what is allowed.
        headers: more headers, with ``_`` for ``-`` in their names.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = json.dumps({"error": " ".join(line.split())})
    return Response(content, status, named | {"Cache-Control": "no-store"}, "application/json")


def unavailable(line: str) -> Response:
    """Return a 503, which asks the client to try again in a second."""
    return error_response(503, line, Retry_After="1")
