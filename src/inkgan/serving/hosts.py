"""The names under which clients may address a server.

Without this check, another site could point its own name here (DNS rebinding), and its pages could read this server's
answers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from encodings.idna import dots

from inkgan.errors import ConfigError, as_given

#: The names by which this machine calls itself.
LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
#: Addresses that stand for all addresses of this machine.
_EVERYWHERE = ("0.0.0.0", "::", "::ffff:0.0.0.0")  # noqa: S104 - what a user may ask for
#: Letters that IDNA replaced in 2003, and keeps since 2008.
_KEPT = re.compile("[ßς]")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:/@\s]+)(:\d*)?")


def name_of(header: str) -> str | None:
    """Return the name in a ``Host`` header, in lower case and without its port; None if there is none."""
    found = _HOST.fullmatch(header.lower())
    return found[1] if found else None


def names(host: str, address: str, others: Sequence[str]) -> frozenset[str]:
    """Return the names under which clients may address a server.

    Args:
        host: the host on which it listens, as it was given.
        address: the address that the system takes this for; ``0`` stands for all addresses, as ``0.0.0.0`` does.
        others: more names.

    Raises:
        ConfigError: one of the others is not a host name, or other machines would have no name to use.
    """
    if address in _EVERYWHERE and not others:
        raise ConfigError(
            f"a server on {host} has to know the names under which browsers reach it. Give them with --allow-host NAME."
        )
    return LOCAL | {_as_sent(in_url(host)), _as_sent(in_url(address)), *map(_valid_name, others)}


def _valid_name(name: str) -> str:
    """Return a host name as browsers send it.

    Raises:
        ConfigError: it is not a host name.
    """
    with suppress(UnicodeError):  # of a part that is empty or too long
        sent = _as_sent(name)
        if name_of(sent) == sent and "*" not in sent:  # patterns are not allowed
            return sent
    raise ConfigError(f"{as_given(name)} is not a host name. Give one as in an address, without a port.")


def _as_sent(name: str) -> str:
    """Return a name in lower case and in ASCII, in which ``bücher`` is ``xn--bcher-kva`` (IDNA).

    Python's codec is of 2003, and makes ``strasse`` of ``straße``, which is another site: browsers keep these letters.
    """
    name = unicodedata.normalize("NFC", name.lower())
    name.encode("idna")  # an error if a part is empty or too long
    return ".".join(
        f"xn--{part.encode('punycode').decode()}" if _KEPT.search(part) else part.encode("idna").decode()
        for part in dots.split(name)
    )


def in_url(host: str) -> str:
    """Write a host as URLs do: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host
