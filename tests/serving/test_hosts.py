"""The host names that a server accepts."""

from __future__ import annotations

import pytest

from inkgan.errors import ConfigError
from inkgan.serving import hosts


def test_names_of_the_server() -> None:
    here = {"localhost", "127.0.0.1", "[::1]"}
    assert hosts.names("127.0.0.1", "127.0.0.1", []) == here
    assert hosts.names("::1", "::1", ["Ink.Example"]) == here | {"ink.example"}
    assert hosts.names("Ink.Example", "192.0.2.1", []) == here | {"ink.example", "192.0.2.1"}
    with pytest.raises(ConfigError, match="a server on ::0 has to know the names"):
        hosts.names("::0", "::", [])


def test_names_are_known_as_browsers_send_them() -> None:
    """In ASCII, with the full stops of other scripts."""
    names = hosts.names("Müller.example", "192.0.2.1", ["Bücher.example", "例え。テスト"])
    assert {"xn--mller-kva.example", "xn--bcher-kva.example", "xn--r8jz45g.xn--zckzah"} <= names


def test_letters_that_browsers_keep() -> None:
    """By the rules of 2003, these would be the names of other sites, strasse.example and βόλοσ.example."""
    names = hosts.names("localhost", "127.0.0.1", ["www.Straße.example", "βόλος。Bücher"])
    assert names - hosts.LOCAL == {"www.xn--strae-oqa.example", "xn--nxasmm1c.xn--bcher-kva"}


@pytest.mark.parametrize(
    "name", ["", "a/b", "a:80", "user@a", "*", "*.example", "a..b", "ü" * 64, "℀.example", "ß..example"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    """A pattern would let in any site that points a name of its own here."""
    with pytest.raises(ConfigError, match=r"is not a host name\. Give one as in an address, without a port"):
        hosts.names("127.0.0.1", "127.0.0.1", ["ink.example", name])


def test_the_name_in_a_header() -> None:
    assert hosts.name_of("Ink.Example:8000") == "ink.example"
    assert hosts.name_of("[::1]:8000") == "[::1]"
    for wrong in ("", "a:b", "a:80:80", "a/b", "user@a", "[::1", "a b"):
        assert hosts.name_of(wrong) is None
