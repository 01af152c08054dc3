"""Ports for tests that start servers."""

from __future__ import annotations

import socket


def bound_socket() -> socket.socket:
    """Return a socket that has a free port of this machine, and does not listen there.

    While it is open, no other program is given this port, and connections to it are refused; but a program that is told
    the port can listen there.
    """
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    return bound
