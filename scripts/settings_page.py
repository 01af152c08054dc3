"""Write docs/settings.md, every setting with its meaning, unit, paper and value in each recipe, and a table of losses.

    python scripts/settings_page.py

Meanings, ranges, values, units and papers come from ``inkgan.config``, losses from ``inkgan.training.losses``. The page
of ``inkgan help training`` has the table of losses.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from inkgan.config import Config, resolve
from inkgan.config.schema import LOSS_PRESETS, RECIPES, about, compact_only, flat, known_settings
from inkgan.training.losses import ADVERSARIAL_LOSSES

_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs" / "settings.md"
_HELP = _ROOT / "src" / "inkgan" / "cli" / "topics" / "training.md"

_HEAD = """\
<!-- Written by scripts/settings_page.py. Do not edit. -->
# Settings

Every setting of a run. Give one with `--set KEY=VALUE`, several in a file with `--config FILE.toml`, or from Python
with `inkgan.train(settings=...)`. `inkgan train --dry-run` prints those of a run. The recipes `fast` and `best` share
their code; a dash means that the recipe has no such setting.

"""

_FOOT = """
## Losses

| `loss` | discriminator minimises | generator minimises | paper |
| --- | --- | --- | --- |
LOSSES

All are means over a batch; D is a logit. `relativistic` pairs each generated image with a real image of the same class.
Its generator's loss takes D(x) from before the discriminator's update and D(G(z)) from after it; with D(x) from after
it, [runs were no better](experiments.md#is-it-worth-scoring-the-real-images-again-for-the-generator-2026-11-27).
The tutorial has the loss `non-saturating`, with one optimiser for each half of the discriminator's loss. The
generator's loss of `wgan-gp` has the term D(x), which the paper leaves out: it does not depend on the generator, and
with it the figure does not change when a constant is added to every logit.

## What a loss brings along

`--set loss=NAME` brings the settings that its paper published with the loss, unless you give others. The `config.json`
of a run and a file from `--dry-run` have all settings: with them, a loss brings none. Learning rates are the recipe's
with every loss; Gulrajani et al. have 0.0001.

PUBLISHED
The other losses keep the penalty of the recipe, which was chosen with its networks, since their formulas have none.
(Jolicoeur-Martineau also tries relativistic games with the penalty of WGAN-GP.)

A step is one update of the generator and `critic_steps` updates of the discriminator. Each update of the discriminator
has a batch and latents of its own; the generator's update uses the latents of the last one. `steps`, schedules and
checkpoints count steps; `penalty.every` counts updates of the discriminator.

## Units of the penalty

R1 and R2 add γ/2 times the mean squared norm of the gradient of D with respect to the pixels, at real and at generated
images. WGAN-GP adds λ times the mean of (norm - 1)². `penalty.every` computes the penalty once in this many
updates, with as many times the weight.

The gradient refers to pixels in [-1, 1], as in the papers, so that their γ and λ have the same meaning here. Runs from
before the setting `penalty.pixels` existed refer to pixels in [0, 1], where a gradient is twice as large: their γ = 0.1
is γ = 0.4 now. They resume in their own units (`penalty.pixels = "0..1"`), bit for bit.

## Fixed values

Not settings, but good to know when you compare with other code. `fast` and `best`: Adam with β₁ = 0, β₂ = 0.9
([why](experiments.md#how-were-width-penalty-and-adams-beta2-chosen-2026-11-24)); no weight decay. `fade` lowers the
learning rates linearly to 0 over the last share of the run; runs of up to 300 steps do not fade, and runs of
less than 1,800 steps fade over a smaller share. `tutorial`: Adam as in TensorFlow 1, with β₁ = 0.9, β₂ = 0.999.
"""


def page() -> str:
    """Return the page as Markdown."""
    configs = {recipe: flat(resolve(options={"recipe": recipe}).model_dump()) for recipe in RECIPES}
    rows = [["setting", "meaning", "unit", "allowed", *(f"`{recipe}`" for recipe in RECIPES), "paper"]]
    rows.append(["---"] * len(rows[0]))
    schema = Config.model_json_schema()
    for key, setting in known_settings().items():
        unit, paper = about(key)["unit"], about(key)["paper"]
        values = [_value(config[key], key, recipe) for recipe, config in configs.items()]
        rows.append([f"`{key}`", str(setting.description), unit, _allowed(schema, key), *values, paper])
    foot = _FOOT.replace("LOSSES\n", _table(_losses())).replace("PUBLISHED\n", _table(_published()) + "\n")
    return _HEAD + _table(rows) + foot


def help_page() -> str:
    """Return the page of ``inkgan help training`` with a row for each loss."""
    rows = []
    usual = Config().loss
    for name in sorted(ADVERSARIAL_LOSSES, key=lambda name: name != usual):
        game = ADVERSARIAL_LOSSES[name]
        parts = [game.idea] + ([] if game.has_zero else ["only differences count"])
        if name in LOSS_PRESETS:
            brought = LOSS_PRESETS[name].items()
            parts.append("brings " + ", ".join(f"`{key}={published.value:g}`" for key, published in brought))
        default = " (default)" if name == usual else ""
        rows.append([f"`{name}`{default}", "; ".join(parts), game.paper])
    head = "| name | idea | paper |\n| --- | --- | --- |\n"
    before, _, after = _HELP.read_text("utf-8").partition(head)
    return before + head + _table(rows) + "\n" + after.partition("\n\n")[2]


def _losses() -> list[list[str]]:
    """Return a row for each loss: its formulas and its paper."""
    return [[f"`{name}`", *loss.formulas, loss.paper] for name, loss in ADVERSARIAL_LOSSES.items()]


def _published() -> list[list[str]]:
    """Return the table of settings that losses bring along."""
    rows = [["`loss`", "setting", "unit", "value", "paper"], ["---"] * 5]
    for loss, settings in LOSS_PRESETS.items():
        rows += [
            [f"`{loss}`", f"`{key}`", about(key)["unit"], f"{published.value:g}", published.source]
            for key, published in settings.items()
        ]
    return rows


def _table(rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _value(value: object, key: str, recipe: str) -> str:
    if recipe == "tutorial" and key in compact_only():
        return "–"
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def _allowed(schema: dict[str, Any], key: str) -> str:
    """Describe the values that pydantic accepts."""
    *tables, name = key.split(".")
    place = schema
    for table in tables:
        place = schema["$defs"][place["properties"][table]["$ref"].rpartition("/")[2]]
    field = place["properties"][name]
    field = next((one for one in field.get("anyOf", ()) if one.get("type") != "null"), field)
    if "enum" in field:
        return ", ".join(field["enum"])
    words = {"boolean": "true, false", "string": "text", "array": "an array, usually set by inkgan"}
    if field["type"] in words:
        return words[field["type"]]
    low = f"above {field['exclusiveMinimum']:g}, up to" if "exclusiveMinimum" in field else f"{field['minimum']:g} to"
    step = f", multiples of {field['multipleOf']}" if "multipleOf" in field else ""
    return f"{low} {_power(field['maximum'])}{step}"


def _power(number: float) -> str:
    powers = {2**63 - 1: "2⁶³ - 1", 10**9: "10⁹", 10**8: "10⁸", 10**6: "10⁶"}
    return powers.get(int(number), f"{number:g}")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    _PAGE.write_text(page(), "utf-8")
    _HELP.write_text(help_page(), "utf-8")
