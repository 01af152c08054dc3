"""Reports and comparisons as text of at most 100 columns, or fewer where the window has fewer."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from inkgan.errors import quantity, shortened

if TYPE_CHECKING:
    from inkgan.evaluation.compare import Comparison, Difference, Pair
    from inkgan.evaluation.metrics.intervals import Interval
    from inkgan.evaluation.report import ClassFigures, Figure, Report

COLUMNS = 100
#: The least room for the names of a table; if there is less, each name gets a line of its own.
_NARROWEST_NAMES = 12
_NOTE_INDENT = " " * len("note: ")
#: Shortens a name or a path in a sentence.
_short = partial(shortened, longest=34)

FIGURE_TITLES = ("figure", "value", "95 % interval", "floor", "better", "verdict")
CLASS_TITLES = ("class", "images", "expected", "diversity", "floor", "accuracy", "floor")


def report_text(report: Report, columns: int = COLUMNS) -> str:
    """Return a report as lines of at most so many characters."""
    lines = [*wrapped([summary(report)], columns), ""]
    lines += table([FIGURE_TITLES, *map(figure_cells, report.figures)], columns)
    # The HTML report explains the columns below its charts.
    floor_and_verdict, *others = explanations(report)
    explained = [f"{floor_and_verdict} better: equal, where a value on either side of the floor is worse."]
    if any(one.diversity or one.accuracy for one in report.classes):
        lines += ["", *table([CLASS_TITLES, *map(class_cells, report.classes)], columns)]
        explained.append(
            "images: those that the feature network assigns to the class. expected: as many as there would be in the "
            "proportions of the training images."
        )
    explained += [*others, "`inkgan help metrics` says what each figure detects, and what it misses."]
    lines += ["", *wrapped(explained, columns)]
    lines += wrapped([f"note: {note}" for note in report.notes], columns, _NOTE_INDENT)
    return "\n".join(lines)


def summary(report: Report) -> str:
    """Return the report in one sentence."""
    parts = []
    if "frechet_digit_distance" in report:
        distance = report["frechet_digit_distance"]
        title = distance.title.partition(" (")[0]
        parts.append(f"{title} {distance.value:.3g} (real images: {distance.floor:.3g})")
    if "accuracy" in report:
        parts.append(f"{_percent(report['accuracy'].value)} show the class asked for")
    copying = _copying(report) or "no sign of copying"
    return f"{_short(report.what)}, {report.n:,} images: {', '.join([*parts, copying])}."


def _copying(report: Report) -> str:
    """Return the sign of copying that the figures show; empty if there is none.

    The copying z in pixels is no sign: that of real images of the same writers is -3.6 (docs/metrics.md).
    """
    exact = report["exact_copies"]
    copies = ""
    if exact.value > 0:
        real = f" (real images: {_percent(exact.floor)})" if exact.floor > 0 else ""
        copies = f"{_percent(exact.value)} are training images{real}"
    if exact.interval.low > exact.floor_interval.high:
        return copies
    for name, where in (("near_copies", ""), ("near_copies_pixels", " in pixels")):
        if name in report and report[name].interval.low > report[name].floor_interval.high:
            near = report[name]
            return f"{near.value:.1%} are near-copies{where} of training images (real images: {near.floor:.1%})"
    if report["copying_z"].interval.high < 0:
        near = report["near_copies"]
        closer = "closer to the training images than held-out images are"
        return f"{closer}, with {near.value:.1%} near-copies (real images: {near.floor:.1%})"
    return copies  # no more of them than among real images, if there are any


def _percent(share: float) -> str:
    """Write a share with as many digits as it needs: one of 10,000 is not 0.0%, and 9,996 are not 100.0%."""
    return f"{share:.1%}" if 0.001 <= share <= 0.999 else f"{100 * share:.4g}%"


def explanations(report: Report) -> list[str]:
    """Return paragraphs that explain the figures and the features of a report."""
    floor = "floor: the same figure of as many held-out real images; for shares of copies, of all of them."
    lines = [f"{floor} verdict: as real where the 95 % intervals of the figure and of its floor overlap."]
    if "frechet_digit_distance" in report and report["frechet_digit_distance"].against_floor == "better":
        lines.append(
            "A distance may be below its floor: generated images imitate the training images, the very images that the "
            "feature network learned from; held-out images are different ones."
        )
    if "frechet_random_distance" in report:
        lines.append(
            "Fréchet distance, random features: the same distance in features of a network of random weights. It "
            "learned from no image, so it cannot favour the training images."
        )
    if _copying(report):
        lines.append(
            "near-copies: images that are as close to a training image as the closest 1 % of held-out images; too many "
            "images of a simple class raise their share, too. copying z below -2: within classes, images are closer to "
            "the training images than held-out ones are. Alone it proves no copying: real images of the writers of the "
            "training images are closer, too."
        )
    features = "features of your own"
    if len(report.features) == 64:  # the SHA-256 of a network
        features = f"the features {report.features[:12]}"
        if report.feature_accuracy is not None:
            features += f" of a network that names the class of {report.feature_accuracy:.1%} of the held-out images"
    lines.append(f"Measured against {_short(report.data)} in {features}; seed {report.seed}, {report.seconds:.1f} s.")
    return lines


def figure_cells(figure: Figure) -> tuple[str, ...]:
    """Return a figure's row of the table."""
    better = {"lower": "lower", "higher": "higher", "like the floor": "equal"}[figure.better]
    interval = interval_text(figure.interval)
    return (figure.title, number(figure.value), interval, number(figure.floor), better, figure.against_floor)


def class_cells(figures: ClassFigures) -> tuple[str, ...]:
    """Return a class's row of the table."""
    cells = [figures.name, str(figures.count), f"{figures.expected:.0f}"]
    for figure in (figures.diversity, figures.accuracy):
        cells += ["-", "-"] if figure is None else [number(figure.value), number(figure.floor)]
    return tuple(cells)


def comparison_text(comparison: Comparison, columns: int = COLUMNS) -> str:
    """Return a comparison as lines of at most so many characters."""
    lines = wrapped(subject_lines(comparison), columns)
    for pair in comparison.pairs:
        rows = [difference_cells(difference, pair) for difference in pair.differences]
        # The table is wide, and the line below it names the data.
        rows = [(re.sub(r" \(.* features\)$", "", title), *cells) for title, *cells in rows]
        lines += ["", *wrapped([verdict_line(pair)], columns), "", *table([difference_titles(pair), *rows], columns)]
        lines += wrapped([f"setting: {one}" for one in pair.settings], columns)
    lines += ["", *wrapped(comparison_explanations(comparison), columns)]
    lines += wrapped([f"note: {note}" for note in comparison.notes], columns, _NOTE_INDENT)
    return "\n".join(lines)


def subject_lines(comparison: Comparison) -> list[str]:
    """Return a line for each subject that says what A, B, ... are."""
    lines = []
    for at, group in enumerate(comparison.subjects):
        more = f" and {len(group) - 1} more: a group over seeds" if len(group) > 1 else ""
        lines.append(f"{letter(at)}: {_short(group[0])}{more}")
    return lines


def verdict_line(pair: Pair) -> str:
    """Return the verdict over all figures of a pair, and the number of figures with each verdict."""
    counts = Counter(verdict(difference.verdict, pair) for difference in pair.differences)
    tally = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{pair.second} against {pair.first}, over all figures: {verdict(pair.verdict, pair)} ({tally})."


def verdict(name: str, pair: Pair) -> str:
    """Return a verdict in words: which of the two is better."""
    return {"better": f"{pair.second} is better", "worse": f"{pair.first} is better"}.get(name, name)


def difference_titles(pair: Pair) -> tuple[str, ...]:
    """Return the titles of the columns of a pair's table."""
    return ("figure", pair.first, pair.second, f"{pair.second} - {pair.first}, 95 %", "floor", "verdict")


def difference_cells(difference: Difference, pair: Pair) -> tuple[str, ...]:
    """Return a difference's row of the table."""
    in_words = "-" if difference.verdict == "indistinguishable" else verdict(difference.verdict, pair)
    values = [number(value) for value in (difference.first, difference.second)]
    return (difference.title, *values, interval_text(difference.interval), number(difference.floor), in_words)


def comparison_explanations(comparison: Comparison) -> list[str]:
    """Return paragraphs that explain the differences of a comparison."""
    differences = [difference for pair in comparison.pairs for difference in pair.differences]
    wider = [each.simultaneous.width / each.interval.width for each in differences if each.interval.width]
    wide = f", here about {median(wider):.1f} times as wide" if wider else ""
    wide += "; more seeds narrow them" if max(map(len, comparison.subjects)) > 1 else ""
    together = f"the intervals behind it hold for {quantity(len(differences), 'difference')} at once (Bonferroni){wide}"
    measured = f"{comparison.n:,} images of each against {_short(comparison.data)}, seed {comparison.seed}"
    return [
        f"{measured}, {comparison.seconds:.1f} s. 95 %: the interval of the difference. floor: held-out real images.",
        f"verdict: - for indistinguishable; {together}.",
        _directions(differences),
    ]


def _directions(differences: Sequence[Difference]) -> str:
    """Return sentences that say in which direction each figure is better."""
    titles: dict[str, dict[str, None]] = {"higher": {}, "lower": {}, "like the floor": {}}
    for difference in differences:
        titles[difference.better][difference.title.partition(" (")[0]] = None
    return " ".join(
        f"{better.capitalize()} is better: {'; '.join(names)}." for better, names in titles.items() if names
    )


def letter(at: int) -> str:
    """Return A, B, ... for 0, 1, ..."""
    return chr(ord("A") + at)


def number(value: float) -> str:
    """Return a figure with four significant digits; small ones with two, as a power of ten."""
    if value == 0 or abs(value) >= 1e-3:
        return f"{value:.4g}"
    return f"{value:.1e}"


def interval_text(interval: Interval) -> str:
    """Return an interval as text."""
    return f"{number(interval.low)} to {number(interval.high)}"


def table(rows: Sequence[tuple[str, ...]], most: int = COLUMNS) -> list[str]:
    """Format rows of equal length as lines of at most ``most`` columns.

    Numbers are aligned at their points. If a row would be too long, its first cell is wrapped between words, and a
    longer word is shortened. In a narrow window that has no room for it at all, it gets a line of its own.
    """
    first, *others = zip(*rows, strict=True)
    columns = [_column(column) for column in others]
    room = most - sum(2 + len(column[0]) for column in columns)
    if room < _NARROWEST_NAMES and most < COLUMNS:
        cells = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
        return [line for name, rest in zip(first, cells, strict=True) for line in (name, f"  {rest}")]
    room = max(_NARROWEST_NAMES, room)
    names = [_in_lines(name, room) for name in first]
    width = max(cell_len(line) for name in names for line in name)  # a Chinese character is two columns wide
    lines = []
    for name, *cells in zip(names, *columns, strict=True):
        lines.append("  ".join([set_cell_size(name[0], width), *cells]).rstrip())
        lines += name[1:]
    return lines


def _in_lines(name: str, width: int) -> list[str]:
    """Wrap a name between words; a word that is too long loses its middle."""
    lines = textwrap.wrap(name, width, break_long_words=False, break_on_hyphens=False)
    return [shortened(line, width) for line in lines] or [""]


def _column(cells: Sequence[str]) -> list[str]:
    """Pad the title and the cells of a column to one width."""
    title, *rest = cells
    heads = [_before_point(cell) for cell in rest]
    most = max(heads, default=0)
    rest = [" " * (most - head) + cell if head else cell for cell, head in zip(rest, heads, strict=True)]
    width = max(map(len, [title, *rest]))
    return [title.rjust(width) if most else title.ljust(width), *(cell.ljust(width) for cell in rest)]


def _before_point(cell: str) -> int:
    """Return the number of characters before a number's point; 0 if the cell is not a number."""
    whole = re.match(r"-?\d+", cell)
    return len(whole[0]) if whole else 0


def wrapped(paragraphs: Iterable[str], columns: int, indent: str = "") -> list[str]:
    """Wrap paragraphs into lines of at most so many characters, each but the first of a paragraph with an indent."""
    wrapper = textwrap.TextWrapper(columns, subsequent_indent=indent, break_on_hyphens=False)
    return [line for paragraph in paragraphs for line in wrapper.wrap(paragraph)]
