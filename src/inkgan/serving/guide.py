"""The page that explains the addresses, made from the OpenAPI description: no scripts, and nothing from other servers.

The name, the classes and the card of a model are escaped, so they are text and never HTML.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote, urlencode

from inkgan.exporting.saved import SavedModel

_HERE = Path(__file__).parent
_CLASSES_SHOWN = 100


def page(saved: SavedModel, openapi: Mapping[str, Any], refused: Mapping[str, str]) -> tuple[bytes, str]:
    """Return the page, in UTF-8, and its Content-Security-Policy.

    Args:
        saved: the model.
        openapi: the description of the addresses.
        refused: for each address at which this model draws nothing, the reason.
    """
    style = (_HERE / "guide.css").read_text("utf-8")
    template = Template((_HERE / "guide.html").read_text("utf-8"))
    names = saved.class_names[:_CLASSES_SHOWN]
    more = ["…"] if len(saved.class_names) > len(names) else []
    content = template.substitute(
        name=escape(saved.name),
        style=style,
        description=escape(openapi["info"]["description"]),
        classes=escape(", ".join([*names, *more])) or "none",
        addresses="\n".join(
            _address(path, methods["get"], saved.class_names, refused.get(path))
            for path, methods in openapi["paths"].items()
        ),
        card=escape(saved.card),
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    allowed = f"img-src 'self'; style-src 'sha256-{digest}'"
    return content.encode(), f"default-src 'none'; {allowed}; frame-ancestors 'none'; base-uri 'none'"


def _address(path: str, described: Mapping[str, Any], class_names: Sequence[str], refusal: str | None) -> str:
    """Describe one address: its answer, an example or why there is none, and its parameters."""
    parameters = described.get("parameters", [])
    if refusal is None:
        example = escape(example_of(path, parameters, class_names))
        picture = f'<img src="{example}" alt="">' if "image/png" in described["responses"]["200"]["content"] else ""
        shown = f'<a href="{example}">{example}</a>{picture}'
    else:
        shown = escape(refusal)
    rows = "\n".join(map(_row, parameters))
    table = f"<table><tr><th>parameter<th>range<th>default<th>meaning</tr>{rows}</table>" if rows else ""
    return f"<h2>{escape(path)}</h2><p>{escape(described['description'])}</p><p>{shown}</p>{table}"


def example_of(path: str, parameters: Sequence[Mapping[str, Any]], class_names: Sequence[str]) -> str:
    """Return an address with the example of every parameter that has one, and with one of the model's classes."""
    examples = {one["name"]: one["schema"]["examples"][0] for one in parameters if "examples" in one["schema"]}
    if "{name}" in path:
        name = examples.pop("name")
        path = path.replace("{name}", quote(name if name in class_names else class_names[0], safe=""))
    return f"{path}?{urlencode(examples)}" if examples else path


def _row(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    default = schema.get("default", "none, needed" if parameter.get("required") else "")
    cells = (parameter["name"], _range(schema), default, parameter.get("description", ""))
    return "<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in cells) + "</tr>"


def _range(schema: Mapping[str, Any]) -> str:
    """Describe the values that a parameter may have."""
    if "enum" in schema or "const" in schema:
        return ", ".join(schema.get("enum", [schema.get("const")]))
    if "maximum" in schema:
        most = schema["maximum"]
        return f"{schema['minimum']:g} to {most:g}" if most < 2**53 else f"{schema['minimum']} to 2^63 - 1"
    if "anyOf" in schema:  # the other choice is null
        return _range(schema["anyOf"][0])
    if "maxLength" in schema:  # the description says which characters; the pattern is for programs
        return f"{schema.get('minLength', 0)} to {schema['maxLength']} characters"
    if "pattern" in schema:
        return str(schema["pattern"]).strip("^$")
    return ""
