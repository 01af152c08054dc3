"""The texts that can be written."""

from __future__ import annotations

from inkgan.errors import ConfigError, as_given, quantity
from inkgan.generation.ink import STROKES
from inkgan.generation.legibility import DIGITS

CHARACTERS = DIGITS + "".join(STROKES) + " "
#: Stands for a digit that is chosen at random, by the seed and the writer.
WILDCARD = "d"
LONGEST_TEXT = 64


def valid_text(text: str) -> str:
    """Return a text if it can be written.

    Raises:
        ConfigError: it is not a string, is empty or too long, or holds characters that cannot be written.
    """
    if not isinstance(text, str):
        raise ConfigError(f"cannot write {as_given(text)}. A text is a string, such as '2026'.")
    strange = [character for character in text if character not in CHARACTERS + WILDCARD]
    if not {"{", "}"}.isdisjoint(strange):
        raise ConfigError(
            f"cannot write {as_given(text)}: fields in braces are filled only in the texts of a command, in the "
            "templates of a .toml, and in the texts of inkgan.Spec for inkgan.write_many."
        )
    if strange:
        raise ConfigError(
            f"cannot write {as_given(''.join(strange))}. Write digits, {' '.join(STROKES)} and space; "
            f"{WILDCARD} stands for any digit."
        )
    if text and not text.strip():
        raise ConfigError(f"cannot write {as_given(text)}: it is only spaces. Write at least one digit or separator.")
    if not text or len(text) > LONGEST_TEXT:
        raise ConfigError(f"cannot write a text of {quantity(len(text), 'character')}. Write 1 to {LONGEST_TEXT}.")
    return text
