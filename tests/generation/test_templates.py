"""Templates: each text matches its fields, every allowed value occurs, and errors are one line."""

from __future__ import annotations

import datetime
import re
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from inkgan.errors import ConfigError
from inkgan.generation.templates import Templates, read_template
from inkgan.generation.texts import CHARACTERS
from refusals import refusal

CODES = ["12", "345 6"]


@pytest.fixture(autouse=True)
def codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a file of choices into the working folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "codes.txt"
    file.write_text("".join(f"{code}\n" for code in CODES), "utf-8")
    return file


def texts(source: str, count: int = 300) -> list[str]:
    """Return texts that a template makes."""
    template = read_template(source)
    drawn = [template.text(np.random.default_rng(number)) for number in range(count)]
    assert max(map(len, drawn)) <= template.longest
    assert set("".join(drawn)) <= {*CHARACTERS, "d"}
    return drawn


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%y", "%-d.%-m.%Y", "%Y/%j", "%d %m %Y"], ids=lambda form: form
)
def test_dates(form: str) -> None:
    """Python's parser reads each date in its format; all dates are in the range, and both ends occur."""
    for text in texts(f"{{date:{form}}}"):
        day = datetime.datetime.strptime(text, form.replace("%-", "%")).date()
        assert datetime.date(1970, 1, 1) <= day <= datetime.date(2029, 12, 31)
    days = texts(f"{{date:{form} in 2024-02-28..2024-03-01}}", 60)
    read = {datetime.datetime.strptime(text, form.replace("%-", "%")).day for text in days}
    assert read == {28, 29, 1}


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%-d.%-m.%y", "%Y/%j"])
@pytest.mark.parametrize("day", ["1970-01-01", "2000-02-29", "2000-12-31", "2026-09-10", "9999-10-09"])
def test_a_date_is_written_as_python_writes_it(form: str, day: str) -> None:
    """A range of one day gives that day, as strftime formats it."""
    assert texts(f"{{date:{form} in {day}..{day}}}", 1) == [datetime.date.fromisoformat(day).strftime(form)]


def test_years_have_four_digits() -> None:
    """Also the first thousand, which strftime writes in fewer on Linux."""
    assert texts("{date:%Y-%m-%d in 0900-03-01..0900-03-01}", 1) == ["0900-03-01"]


@pytest.mark.parametrize("form", ["%H:%M:%S", "%-H", "%I", "%-I"])
@pytest.mark.parametrize("second", [0, 1, 59, 60, 3599, 3600, 35_999, 36_000, 43_199, 43_200, 46_800, 86_399])
def test_a_time_is_written_as_python_writes_it(form: str, second: int) -> None:
    """A range of one second gives that time, also at the ends of minutes, hours and half days."""
    moment = (datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=second)).time()
    assert texts(f"{{time:{form} in {moment}..{moment}}}", 1) == [moment.strftime(form)]


def test_both_ends_of_a_short_range_come_up() -> None:
    """For two days, two seconds, two minutes of sixty seconds, two numbers, two lengths and two amounts."""
    for form in ("%d", " %d", "%d "):  # a text cannot end with a blank
        assert set(texts(f"{{date:{form} in 2024-02-28..2024-02-29}}", 40)) == {"28", "29"}
    assert set(texts("{time:%S in 10:00:58..10:00:59}", 40)) == {"58", "59"}
    assert {*texts("{time:%M %S in 10:00..10:01}", 2000)} == {f"{m:02d} {s:02d}" for m in (0, 1) for s in range(60)}
    assert set(texts("{int:998..999}", 40)) == {"998", "999"}
    assert {len(text) for text in texts("{digits:63..64}", 40)} == {63, 64}
    assert set(texts("{amount:0.01..0.02}", 40)) == {"0.01", "0.02"}


@pytest.mark.parametrize("limits", ["date:2024-02-28..2024-03-01", "time:08:00..09:30", "amount:5..10"])
def test_a_range_may_stand_without_a_format(limits: str) -> None:
    """The word in before a range may then be left out."""
    name, _, ends = limits.partition(":")
    assert texts(f"{{{name}:in {ends}}}", 20) == texts(f"{{{limits}}}", 20)


def test_numbers() -> None:
    """Every number of the range occurs and no other, with leading zeros if the start of the range has them."""
    assert set(texts("{int:8..11}")) == {"8", "9", "10", "11"}
    assert set(texts("{int:008..11}")) == {"008", "009", "010", "011"}
    assert all(re.fullmatch(r"[0-9]{6}", text) for text in texts("{digits:6}"))
    lengths = Counter(map(len, texts("{digits:3..5}", 600)))
    assert lengths.keys() == {3, 4, 5}
    assert min(lengths.values()) > 150
    assert {text[0] for text in texts("{digits:6}")} == set("0123456789")


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("1234.56", r"\d+\.\d\d"),
        ("1234,56", r"\d+,\d\d"),
        ("1,234.56", r"\d{1,3}(,\d{3})*\.\d\d"),
        ("1.234,56", r"\d{1,3}(\.\d{3})*,\d\d"),
    ],
)
def test_amounts(form: str, pattern: str) -> None:
    """Amounts match their form and range, and each order of magnitude is equally likely."""
    drawn = texts(f"{{amount:{form} in 10..99999.99}}", 800)
    assert all(re.fullmatch(pattern, text) for text in drawn)
    cents = [int(re.sub(r"\D", "", text)) for text in drawn]
    assert 1000 <= min(cents) <= max(cents) <= 9_999_999
    powers = Counter(len(str(one)) for one in cents)
    assert powers.keys() == {4, 5, 6, 7}
    assert min(powers.values()) > 150


def test_around_fields(codes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text around fields stays, with its spaces and wildcards; a choice is a line of a file beside the template."""
    assert set(texts("{choice:codes.txt}/ d{int:7..7}")) == {"12/ d7", "345 6/ d7"}
    assert texts("2026-d", 1) == ["2026-d"]
    assert Templates(["2026", "{choice: codes.txt}"]).files == [Path("codes.txt")]
    monkeypatch.chdir("/")
    assert read_template("{choice:codes.txt}-{choice:codes.txt}", codes.parent).files == (codes, codes)


def test_a_choice_of_many_lines_takes_little_memory(tmp_path: Path) -> None:
    """It keeps about as much as the file has, which is a tenth of a list of strings."""
    many = tmp_path / "many.txt"
    many.write_text("".join(f"{number:06}\n" for number in range(20_000)), "utf-8")
    tracemalloc.start()
    template = read_template("{choice:many.txt}", tmp_path)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2 * many.stat().st_size
    assert re.fullmatch("[0-9]{6}", template.text(np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{dat:%Y}", "unknown field {dat}. Did you mean 'date'? Use date, time, int"),
        ("{}", "unknown field {}"),
        ("{float}", "Use date, time, int, digits, amount, choice, or several of them: {int:0..99}.{digits:2}."),
        ("{int 1..9}", "the field {int 1..9} has no colon behind its name. A field looks like {int:1..9999}."),
        ("{amount in 1..100}", "the field {amount in 1..100} has no colon behind its name."),
        ("{time %H:%M in 8:00..9:00}", "the field {time %H:%M in 8:00..9:00} has no colon behind its name."),
        ("{int:1..9", "an unmatched brace"),
        ("int}", "an unmatched brace"),
        ("{date:%B %Y}", "no '%B' in its format. Use %Y %y"),
        ("{date:100%}", "no '%' in its format"),
        ("{date:day %d}", "cannot write 'ay'"),
        ("{date:dd.mm.yyyy}", "d stands for any digit. Use %Y %y %m %-m %d %-d %j in its format."),
        (
            "{date:2020}",
            "its format '2020' would always be the same. Use %Y %y %m %-m %d %-d %j in it; a range has two",
        ),
        ("{time:12.30}", "its format '12.30' would always be the same. Use %H %-H %I"),
        ("{date: }", "its format ' ' would always be the same. Use %Y %y"),
        ("{time:%Hh}", "Use %H %-H %I %-I %M %S in its format."),
        (
            "{date:%d.%m.%Y 2020-01-01..2021-01-01}",
            "it needs ' in ' before its range, such as %Y-%m-%d in 1970-01-01..2029-12-31.",
        ),
        ("{amount:1.234,56 1 .. 500}", "it needs ' in ' before its range, such as 1234.56 in 1..9999.99."),
        ("{date:%Y in 2030-01-01..2020-01-01}", "runs backwards, from 2030-01-01 to 2020-01-01"),
        ("{date:%Y in 2021-02-29..2022-01-01}", "'2021-02-29' is not a date. Write dates of the range like"),
        ("{date:%Y in 2021}", "'2021' is not a range. Write one like 1970-01-01..2029-12-31."),
        ("{date:..}", "is not a range"),
        ("{date:%d in }", "'' is not a range. Write one like"),  # a variable of the shell that is not set
        ("{int:..5}", "'..5' is not a range"),
        ("{int:5..}", "'5..' is not a range"),
        ("{time:%H in 10:00..09:00}", "runs backwards"),
        ("{time:%H in 10:00..24:00}", "'24:00' is not a time"),
        ("{time:%H in 00:00..24:00}", "'24:00' is not a time"),  # Python 3.14 reads it as midnight
        ("{time:%H in 0800..0801}", "'0800' is not a time"),
        ("{time:%H in 08:00..08:00+02:00}", "'08:00+02:00' is not a time"),
        ("{date:%Y in 20210101..2022-01-01}", "'20210101' is not a date"),
        ("{time:%Y}", "no '%Y' in its format. Use %H"),
        ("{int:9..1}", "runs backwards, from 9 to 1"),
        ("{int:-5..1}", "whole numbers from 0 to 999,999,999,999,999, such as"),
        ("{int:0..1000000000000000}", "whole numbers from 0 to"),
        ("{int:١..٢}", "whole numbers from 0 to"),
        ("{int:1..1.5}", "whole numbers from 0 to"),
        ("{int:1..9999999999999999999}", "whole numbers from 0 to"),
        ("{digits:0}", "a number from 1 to 64"),
        ("{digits:x}", "a number from 1 to 64"),
        ("{digits:5..3}", "a number from 1 to 64"),
        ("{digits:65}", "a number from 1 to 64"),
        pytest.param(f"{{digits:{'1' * 5000}}}", "a number from 1 to 64", id="long digits"),
        pytest.param(f"{{int:0..{'1' * 5000}}}", "whole numbers from 0 to", id="long int"),
        ("{digits:64}5", "can make texts of 65 characters"),
        ("{digits:60} {time}", "can make texts of 66 characters. A text has at most 64"),
        ("{amount:12 in 1..2}", "cannot be written like '12'. Choose from 1234.56"),
        ("{amount:2..1}", "runs backwards"),
        ("{amount:0..1}", "'0' is not an amount"),
        ("{amount:1.234..2}", "'1.234' is not an amount"),
        ("{amount:12345678901234..2}", "'12345678901234' is not an amount"),
        ("{choice}", "it needs a file"),
        ("", "cannot write '', 0 characters. Write 1 to 64"),
        ("No {int}", "in the template 'No {int}': cannot write 'No'"),
        ("{int}\t{int}", "in the template '{int}\\t{int}': cannot write '\\t'"),
        ("{int}\u00a0{int}", "cannot write '\\xa0'. Write digits"),
        ("{int}\n", "cannot write '\\n'"),  # from a text of several lines in a TOML file
    ],
)
def test_what_makes_no_sense(source: str, said: str) -> None:
    """A one-line error says what was given and what is allowed."""
    refusal(lambda: read_template(source), said, kind=ConfigError)


@pytest.mark.parametrize("name", ["date", "time", "int", "digits", "amount", "choice", "Date", "dates"])
@pytest.mark.parametrize("mark", ["", " ", " in ", ":", ": in ", ":%Y ", ":%H ", ":%Y in ", "=", "("])
def test_advice_can_be_followed(name: str, mark: str) -> None:
    """Every field, range and name that the error about a wrong field tells to write is accepted in its place."""
    for argument in ("", "2024", "5..9", "2024-01-01..2024-12-31", "08:00..09:00", "8:00..9:00", "..", "codes.txt"):
        try:
            read_template(f"{{{name}{mark}{argument}}}")
        except ConfigError as error:
            said = str(error)
        else:
            continue
        fields = re.findall(r"(?:looks like|as in|several of them:) (\{.*\})\.", said)
        fields += [f"{{{name}:{limits}}}" for limits in re.findall(r"(?:Write one like|range, such as) (.+)\.$", said)]
        for field in fields:
            assert len(texts(field, 3)) == 3
        assert fields or re.search(r"Use %|Choose from|such as|like \d|first\.$|cannot read", said), said


def test_a_template_that_is_no_text() -> None:
    """A template that is not a string, such as a number from a TOML file, is refused."""
    with pytest.raises(ConfigError, match=r"cannot write 2026. A text is a string"):
        read_template(2026)  # type: ignore[arg-type]


def test_the_largest_fields() -> None:
    """The largest allowed fields work: 64 characters, fifteen digits, an amount of thirteen digits and its cents."""
    assert {len(text) for text in texts("{digits:64}", 9)} == {64}
    assert texts("{int:999999999999999..999999999999999}", 1) == ["999999999999999"]
    assert texts("{amount:1,234.56 in 9999999999999.99..9999999999999.99}", 1) == ["9,999,999,999,999.99"]


def test_defaults_of_fields() -> None:
    """Defaults: ISO dates from 1970 to 2029, any minute, up to four digits, six digits, amounts up to 9999.99."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", texts("{date} {time}", 1)[0])
    years = sorted(text[:4] for text in texts("{date}", 900))
    assert (years[0], years[-1]) == ("1970", "2029")
    assert {2, 3, 4} <= {len(text) for text in texts("{int}", 900)} <= {1, 2, 3, 4}
    assert {len(text) for text in texts("{digits}", 9)} == {6}
    assert {len(text) for text in texts("{amount}", 90)} == {4, 5, 6, 7}
    assert {len(text) for text in texts("{amount:1.234,56}", 90)} == {4, 5, 6, 8}


def test_templates_in_turn() -> None:
    """Text i comes from template i mod n and depends only on the seed and i."""
    both = Templates(["{digits:6}", "{date}"])
    assert both.count == 2
    texts = [both.text(4, index) for index in range(40)]
    assert all(text.isdecimal() for text in texts[::2])
    assert all(text[4] == "-" for text in texts[1::2])
    assert len(set(texts)) == 40
    assert [Templates(["{digits:6}", "{date}"]).text(4, index) for index in (7, 3)] == [texts[7], texts[3]]
    assert both.text(5, 0) != texts[0]
