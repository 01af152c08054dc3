"""Print how large each dependency in the table of CONTRIBUTING.md is, with what it brings and no earlier row has.

    python scripts/dependency_sizes.py

It counts the installed files, so install everything first: `make test`, and `make lessons` for the row of jupyterlab.
"""

from __future__ import annotations

import argparse
import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"


def rows() -> list[list[str]]:
    """Return the packages of each row of the table."""
    table = _PAGE.read_text("utf-8").partition("| package | why |")[2].partition("\n\n")[0]
    return [row.split(", ") for row in re.findall(r"^\| ([a-z][^|(]*?) (?:\(`\w+`\) )?\|", table, re.MULTILINE)]


def main() -> None:
    """Print a line for each row."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    counted: set[str] = set()
    for packages in rows():
        size = sum(_bytes_of(package, counted) for package in packages)
        print(f"{', '.join(packages):<40}{size / 1e6:8.1f} MB")


def _bytes_of(package: str, counted: set[str]) -> int:
    """Return the size of a package and of all that it requires, without those that were counted already."""
    name = canonicalize_name(package)
    if name in counted:
        return 0
    counted.add(name)
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return 0
    paths = [Path(str(file.locate())) for file in found.files or []]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    for line in found.requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            size += _bytes_of(requirement.name, counted)
    return size


if __name__ == "__main__":
    main()
