"""Write docs/api.md: the signature and the docstring of every public name. Run ``python scripts/api_page.py``."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import inkgan
from inkgan import data, networks
from inkgan.config.schema import Change
from inkgan.evaluation.compare import Difference, Pair
from inkgan.evaluation.metrics.intervals import Interval
from inkgan.evaluation.report import ClassFigures, Figure
from inkgan.generation import writing
from inkgan.generation.model import Samples
from inkgan.training.watching import Opinion, StepProgress

#: Classes that functions return, results contain and watchers receive. inkgan creates them; nobody has to import them.
_INNER = (
    data.DataSet,
    data.Split,
    Samples,
    Figure,
    ClassFigures,
    Interval,
    Pair,
    Difference,
    Change,
    StepProgress,
    Opinion,
)
#: Functions that the guides use and that belong to a subpackage.
_OF_SUBPACKAGES = {
    "inkgan.data.load": data.load,
    "inkgan.generation.writing.in_batches": writing.in_batches,
    "inkgan.generation.writing.write_batch": writing.write_batch,
    "inkgan.networks.build_generator": networks.build_generator,
}
_PAGE = Path(__file__).parents[1] / "docs" / "api.md"
_SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Warns|Yields):")
_ITEM = re.compile(r"([\w*,. ]+): (.*)")
_WIDTH = 120
_LIST_ITEM = re.compile(r"^- .*(?:\n  .*)*", re.MULTILINE)

_HEAD = """\
<!-- Written by scripts/api_page.py from the docstrings. Do not edit. -->
# Python API

`import inkgan` loads nothing heavy; each name below loads what it needs when you first use it. `train`, `evaluate` and
`compare` need the extra `inkgan[train]`, and `export` to ONNX needs `inkgan[onnx]`.

Arrays of images are uint8, 0 is paper and 255 is ink, in every function. Where a function takes a number, a path or an
array, NumPy's numbers, `pathlib.Path` and array-likes are fine too.

Messages name options as the command line does: `--data-dir` is the parameter `data_dir`, `--force` is `force=True`, and
`--set loss=hinge` is `settings={"loss": "hinge"}`.

`inkgan.__version__` is the version as a string, such as `"0.1.0"`.

"""


def page() -> str:
    """Return the page as Markdown."""
    public = {name: getattr(inkgan, name) for name in inkgan.__all__}
    errors = {name: one for name, one in public.items() if inspect.isclass(one) and issubclass(one, Exception)}
    functions = [name for name, one in public.items() if inspect.isfunction(one)]
    classes = [name for name in public if name not in errors and name not in functions]
    parts = [_HEAD, "## Functions\n\n", *(_function(name, public[name]) for name in functions)]
    parts += ["## Classes\n\n", *(_class(name, public[name]) for name in classes)]
    parts += ["## Functions of subpackages\n\n", *(_function(*named) for named in _OF_SUBPACKAGES.items())]
    parts += ["## What results hold\n\n", "You get these from what is above, and need not import them.\n\n"]
    parts += [_class(one.__name__, one, with_methods=False) for one in _INNER]
    rows = [f"| `{name}` | `{one.__mro__[1].__name__}` | {_summary(one)} |\n" for name, one in errors.items()]
    parts += ["## Errors and warnings\n\n| name | is a | meaning |\n| --- | --- | --- |\n", *rows]
    return "".join(parts).rstrip("\n") + "\n"


def _function(name: str, function: object, level: str = "###") -> str:
    signature, described = _signature(name, function), _markdown(inspect.getdoc(function) or "")
    return f"{level} {name}\n\n```text\n{signature}\n```\n\n{described}\n\n"


def _class(name: str, one: type, *, with_methods: bool = True) -> str:
    described = _markdown(inspect.getdoc(one) or "")
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            described = described.replace(f"- `{field.name}`: ", f"- `{field.name}` (`{field.type}`): ")
    if properties := list(_properties(one)):
        described += "\n\n**Properties:**\n\n" + "\n".join(properties)
    parts = [f"### {name}\n\n{_LIST_ITEM.sub(_wrapped, described)}\n\n"]
    if with_methods:
        parts += [_function(f"{name}.{method}", function, "####") for method, function in _methods(one)]
    return "".join(parts)


def _methods(one: type) -> Iterator[tuple[str, object]]:
    """Yield the public methods of a class that have docstrings, and its indexing."""
    for name, function in vars(one).items():
        plain = function.__func__ if isinstance(function, classmethod) else function
        documented = inspect.isfunction(plain) and inspect.getdoc(plain) and plain.__module__.startswith("inkgan")
        if documented and (name == "__getitem__" or not name.startswith("_")):
            yield name, plain


def _properties(one: type) -> Iterator[str]:
    """Yield an item for each public property of a class: its name, its type and its meaning."""
    for name, found in vars(one).items():
        if isinstance(found, property) and not name.startswith("_"):
            kind = _annotation(inspect.signature(found.fget).return_annotation)  # type: ignore[arg-type]  # it has one
            yield f"- `{name}` (`{kind}`): {_summary(found)}"


def _signature(name: str, function: object) -> str:
    """Return a signature as in the source: on one line if it is short, else with a line for each parameter."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    words: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.name in {"self", "cls"}:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not any(word.startswith("*") for word in words):
            words.append("*")
        words.append(_parameter(parameter))
    returns = f" -> {_annotation(signature.return_annotation)}"
    line = f"{name}({', '.join(words)}){returns}"
    return line if len(line) <= 100 else f"{name}(\n    " + ",\n    ".join(words) + f",\n){returns}"


def _parameter(parameter: inspect.Parameter) -> str:
    default = parameter.default
    stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
    text = f"{stars}{parameter.name}"
    if parameter.annotation is not parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if default is parameter.empty:
        return text
    return f"{text} = {default.__name__ if inspect.isfunction(default) else repr(default)}"


def _annotation(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _wrapped(item: re.Match[str]) -> str:
    """Wrap an item of a list if a line of it has become too long."""
    if max(map(len, item[0].splitlines())) <= _WIDTH:
        return item[0]
    text = " ".join(item[0].split())
    return textwrap.fill(text, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _summary(one: object) -> str:
    return _inline((inspect.getdoc(one) or "").partition("\n\n")[0].replace("\n", " "))


def _markdown(docstring: str) -> str:
    """Turn a docstring in Google's style into Markdown: sections in bold, their items as lists."""
    lines: list[str] = []
    section = False
    for line in docstring.splitlines():
        if _SECTION.fullmatch(line):
            section = line not in {"Returns:", "Yields:"}
            lines += [f"**{line}**", ""]
        elif not line.startswith(" "):
            section = False
            lines.append(line)
        elif section and line[4:5] not in {"", " "} and (item := _ITEM.fullmatch(line[4:])):
            lines.append(f"- `{item[1].replace(', ', '`, `')}`: {item[2]}")
        elif section and line.strip():
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line[4:])
    return _inline("\n".join(lines))


def _inline(text: str) -> str:
    """Turn Sphinx's marks into Markdown's."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda role: f"`{role[1].rpartition('.')[2]}`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    _PAGE.write_text(page(), "utf-8")
