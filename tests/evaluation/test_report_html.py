"""Reports and comparisons as HTML: the pictures show the images that they should, and the charts are to scale."""

from __future__ import annotations

import base64
import html
import io
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import made_reports as made
from inkgan.evaluation.compare import Comparison, _pairs
from inkgan.evaluation.metrics.intervals import Interval
from inkgan.evaluation.report import ClassFigures, Pictures, Report
from inkgan.evaluation.report_html import _chart, comparison_fragment, report_fragment, report_page
from inkgan.images import Images


def pictures_in(page: str) -> list[Images]:
    """Every picture of a page, as the amounts of ink of its pixels."""
    found = re.findall(r'<img alt="[^"]*" src="data:image/png;base64,([^"]*)"', page)
    return [255 - np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


def cells_of(sheet: Images, side: int, scale: int) -> list[list[int]]:
    """The value of each image of one value on a sheet; around each is a white pixel."""
    pitch = (side + 2) * scale
    cells = sheet.reshape(len(sheet) // pitch, pitch, -1, pitch).swapaxes(1, 2)
    inner = cells[:, :, scale:-scale, scale:-scale]
    assert (inner == inner[:, :, :1, :1]).all()
    assert (cells[:, :, :scale] == 0).all()
    return [[int(value) for value in row] for row in inner[:, :, 0, 0]]


def pairs_of(sheet: Images, side: int, scale: int) -> list[tuple[int, int]]:
    """The values of each pair of images of one value, four pairs in a row; there is paper around each pair."""
    gap = -(-side // 4)
    height, width = (side + 2) * scale, (2 * side + 2 * gap + 2) * scale
    assert sheet.shape[1] == 4 * width
    cells = sheet.reshape(-1, height, 4, width).swapaxes(1, 2).reshape(-1, height, width)
    start, middle, end = ((1 + gap + at * side) * scale for at in range(3))
    left, right = cells[:, scale:-scale, start:middle], cells[:, scale:-scale, middle:end]
    assert (cells[:, :, :start] == 0).all()
    assert (cells[:, :, end:] == 0).all()
    assert (left == left[:, :1, :1]).all()
    assert (right == right[:, :1, :1]).all()
    return [(int(a), int(b)) for a, b in zip(left[:, 0, 0], right[:, 0, 0], strict=True)]


def plain(values: list[int], side: int) -> Images:
    """Images of one value each."""
    return np.full((len(values), side, side, 1), 0, np.uint8) + np.array(values, np.uint8)[:, None, None, None]


def with_pictures(classes: int, side: int = 8) -> Report:
    """Five images of three predicted classes, and three pairs."""
    images, predicted = plain([10, 20, 30, 40, 50], side), np.array([1, 0, 1, 1, 2])
    pictures = Pictures(images, predicted, plain([1, 2, 3], side), plain([101, 102, 103], side))
    named = tuple(ClassFigures(f"name {at}", at, 2.5, None, None) for at in range(classes))
    return made.report({"recall": 0.75}, pictures=pictures, classes=named)


@pytest.mark.parametrize(("side", "scale"), [(8, 8), (13, 4), (28, 2), (40, 1), (64, 1), (70, 1)])
def test_the_pictures_of_a_report(side: int, scale: int) -> None:
    """A row of twelve for each class; pairs, four in a row. Small images are enlarged by whole numbers."""
    *kinds, pairs = pictures_in(report_fragment(with_pictures(3, side)))
    assert [row for kind in kinds for row in cells_of(kind, side, scale)] == [
        [20] + [0] * 11,
        [10, 30, 40] + [0] * 9,
        [50] + [0] * 11,
    ]
    assert pairs_of(pairs, side, scale) == [(1, 101), (2, 102), (3, 103), (0, 0)]


def test_pairs_in_several_rows_and_in_colour_are_apart() -> None:
    """Paper separates each pair from the next one; no row divides a pair."""
    report = with_pictures(0)
    assert report.pictures is not None
    left, right = plain(list(range(1, 7)), 28), plain(list(range(101, 107)), 28)
    grey = replace(report, pictures=replace(report.pictures, generated=left, training=right))
    expected = [(1, 101), (2, 102), (3, 103), (4, 104), (5, 105), (6, 106), (0, 0), (0, 0)]
    assert pairs_of(pictures_in(report_fragment(grey))[0], 28, 2) == expected
    colours = replace(report.pictures, generated=left.repeat(3, axis=3), training=right.repeat(3, axis=3))
    (picture,) = pictures_in(report_fragment(replace(grey, pictures=colours)))
    expected = [(255 - a, 255 - b) if a else (0, 0) for a, b in expected]
    assert pairs_of(picture[..., 0], 28, 2) == expected


def test_a_report_of_many_classes_shows_a_hundred() -> None:
    shown = report_fragment(with_pictures(101))
    assert len(pictures_in(shown)) == 100 + 1
    assert re.findall(r'<img alt="images predicted as name (\d+)"', shown) == [str(at) for at in range(100)]
    assert "the feature network predicts, the first 100." in shown
    assert shown.count('<tr><th scope="row" class="name">name ') == 101 + 100  # the table of figures has all
    assert "the first" not in report_fragment(with_pictures(100))


def test_a_report_shows_only_the_pictures_that_it_has() -> None:
    assert len(pictures_in(report_fragment(with_pictures(0)))) == 1
    assert pictures_in(report_fragment(replace(with_pictures(3), pictures=None))) == []


@pytest.mark.parametrize(
    ("value", "floor", "bar", "floor_bar"),
    [
        # A value, its low and its high end. The lowest end is drawn at 4, the highest at 94.
        ((2, 1, 4), (6, 5, 10), (14, 4, 30), (54, 44, 50)),
        ((6, 5, 10), (2, 1, 4), (54, 44, 50), (14, 4, 30)),
        ((5, 0, 9), (5, 5, 5), (54, 4, 90), (54, 54, 0.8)),
        ((0, 0, 0), (0, 0, 0), (4, 4, 0.8), (4, 4, 0.8)),
        ((1, 0, 7), (7, 7, 7), (16.86, 4, 90), (94, 94, 0.8)),
        ((7, 7, 7), (1, 0, 1), (94, 94, 0.8), (16.86, 4, 12.86)),
    ],
)
def test_a_chart_is_to_scale(value: Any, floor: Any, bar: Any, floor_bar: Any) -> None:
    """Each has a mark at its value, and a bar that begins at its low end and is never too thin to see."""
    figure = made.figure("kernel_digit_distance", value[0], floor[0])
    chart = _chart(replace(figure, interval=Interval(*value[1:]), floor_interval=Interval(*floor[1:])))
    assert (chart["value"], chart["low"], chart["width"]) == bar
    assert (chart["floor"], chart["floor_low"], chart["floor_width"]) == floor_bar


@pytest.mark.parametrize(
    ("count", "expected", "bar", "line"), [(4, 2.0, "99.0", "49.5"), (2, 4.0, "49.5", "99.0"), (0, 0.5, "0.0", "49.5")]
)
def test_the_longest_bar_of_a_class_fills_its_cell(count: int, expected: float, bar: str, line: str) -> None:
    """The most is at least one image."""
    shown = report_fragment(made.report({}, classes=(ClassFigures("a", count, expected, None, None),)))
    assert f'<rect x="0" y="1" width="{bar}" height="8"' in shown
    assert f'<rect x="{line}" y="0" width="0.8"' in shown


def test_names_of_classes_are_divided_between_words_where_they_have_room() -> None:
    """A browser takes ``anywhere`` for the leave to make their column as narrow as one letter."""
    (rule,) = re.findall(r"^\.inkgan \.name \{(.*?)\}", report_fragment(made.report({})), re.MULTILINE)
    assert "overflow-wrap: break-word" in rule
    assert "max-width" in rule  # a name without spaces is divided in the end


def test_a_report_names_the_version_if_it_has_one() -> None:
    assert f"features {'f' * 16}, inkgan 1.2.3.</p>" in report_fragment(made.report({}, version="1.2.3"))
    assert f"features {'f' * 16}.</p>" in report_fragment(made.report({}))


def test_names_are_escaped_and_the_body_is_not_escaped_twice() -> None:
    report = replace(with_pictures(2), what="<b>&mine", notes=("<i>odd",))
    page, shown = report_page(report), report_fragment(report)
    assert shown in page
    assert "<title>&lt;b&gt;&amp;mine</title>" in page
    assert "<h1>&lt;b&gt;&amp;mine</h1>" in page
    assert "<li>&lt;i&gt;odd</li>" in page
    assert "<b>" not in page
    assert "<i>" not in page


def test_a_report_has_a_row_for_each_figure() -> None:
    report = made.report({"recall": 0.75, "diversity": 0.00012})
    shown = report._repr_html_()
    assert shown == report_fragment(report)
    assert shown.count("<svg") == len(report.figures)
    for one in report.figures:
        assert f'<th scope="row">{html.escape(one.title)}</th>' in shown
    assert '<td class="n">1.2e-04</td>' in shown
    assert '<td class="n wide">0.7 to 0.8</td>' in shown
    assert '<td class="verdict better">better</td>' in shown
    assert '<td class="verdict differs">differs</td>' in shown


def test_a_comparison_has_a_row_for_each_difference() -> None:
    reports = [[made.report({"recall": value}, f"<{value}>")] for value in (0.75, 0.2)]
    array: Any = None
    (pair,) = _pairs(reports, [[array], [array]])
    pair = replace(pair, settings=("loss: <a> -> b",))
    subjects = (("<one>",), ("two", "three"))
    comparison = Comparison("bars", "d" * 64, "f" * 64, 500, 0, subjects, (pair,), ("<i>odd",))
    shown = comparison_fragment(comparison)
    assert shown == comparison._repr_html_()
    assert shown.count("<tr") == 1 + 3
    for subject in ("<li>A: &lt;one&gt;</li>", "<li>B: two and 1 more: a group over seeds</li>"):
        assert subject in shown
    titles = "".join(f'<th class="n">{title}</th>' for title in ("A", "B", "B - A, 95 %", "floor"))
    assert f"<tr><th>figure</th>{titles}<th>verdict</th></tr>" in shown
    assert "<h2>B against A, over all figures: A is better (1 A is better, 2 indistinguishable).</h2>" in shown
    numbers = "".join(f'<td class="n">{number}</td>' for number in ("0.75", "0.2", "-0.6207 to -0.4793", "0.5"))
    assert f'<tr><th scope="row">recall</th>{numbers}<td>A is better</td></tr>' in shown.replace("\n", "")
    assert "Setting: loss: &lt;a&gt; -&gt; b" in shown
    assert "<li>&lt;i&gt;odd</li>" in shown
    assert "more seeds narrow them" in shown
