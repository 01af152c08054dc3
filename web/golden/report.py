"""Write build/report.html, a report with long and hostile names, which browsers/report.test.mjs looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inkgan.evaluation.metrics.intervals import Estimate, Interval
from inkgan.evaluation.report import FIGURE_KINDS, ClassFigures, Figure, Pictures, Report
from inkgan.evaluation.report_html import report_page

N = 500
LONG = "a_class_with_a_name_that_is_longer_than_a_telephone_is_wide_and_has_no_space"


def estimate(value: float) -> Estimate:
    """Return a value with an interval around it."""
    return Estimate(value, value / 20, Interval(value * 0.9, value * 1.1), N)


def main() -> None:
    """Fill a report with every figure, twelve classes and pictures of noise."""
    figures = tuple(Figure.of(name, estimate(0.0123456), estimate(0.0234567)) for name in FIGURE_KINDS)
    of_a_class = Figure.of("diversity", estimate(61.23), estimate(88.88))
    names = ("<script>document.title = 'broken'</script>", LONG, *(f"class {number}" for number in range(10)))
    classes = tuple(ClassFigures(name, 40, 41.7, of_a_class, of_a_class) for name in names)
    images = np.random.default_rng(0).integers(0, 256, (12 * len(names), 28, 28, 1), np.uint8)
    predicted = np.arange(len(images)) % len(names)
    report = Report(
        what=f"runs/{LONG}",
        kind="run",
        data="noise",
        data_digest="d" * 64,
        features="f" * 64,
        n=N,
        seed=0,
        figures=figures,
        classes=classes,
        notes=("A note.",),
        pictures=Pictures(images, predicted, images[:8], images[8:16]),
    )
    out = Path(__file__).parents[1] / "build" / "report.html"
    out.write_text(report_page(report), "utf-8")


if __name__ == "__main__":
    main()
