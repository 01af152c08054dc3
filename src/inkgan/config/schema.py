"""Every setting of a run, frozen and validated, with its range, unit and paper; the presets of recipes and losses.

No setting names a class or a function.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache, partial
from typing import Annotated, Any, Literal, NamedTuple, SupportsIndex, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from inkgan.errors import ConfigError, as_given, did_you_mean, instead, whole_number
from inkgan.seeds import LARGEST_SEED

RecipeName = Literal["fast", "best", "tutorial"]
RECIPES: tuple[RecipeName, ...] = get_args(RecipeName)
Loss = Literal["non-saturating", "least-squares", "hinge", "wgan-gp", "relativistic"]
Precision = Literal["auto", "float32", "bfloat16"]

#: The most steps of a run.
LONGEST_RUN = 10**9
#: The longest side of an image in pixels, the same as when data are read.
LARGEST_SIDE = 4096
# These numbers are strict: neither true nor "5" is one.
Count = Annotated[int, Field(ge=1, le=LONGEST_RUN, strict=True)]
CountOrNever = Annotated[int, Field(ge=0, le=LONGEST_RUN, strict=True)]
LearningRate = Annotated[float, Field(gt=0, le=1e6, strict=True)]
Weight = Annotated[float, Field(ge=0, le=1e6, strict=True)]
ZeroToOne = Annotated[float, Field(ge=0, le=1, strict=True)]
Channels = Annotated[int, Field(ge=8, le=1024, multiple_of=8, strict=True)]


def _as_size(given: Any) -> str:
    text = str(given).replace("×", "x")  # as messages write sizes
    sides = text.split("x")
    if not re.fullmatch(r"[1-9]\d{0,3}(x[1-9]\d{0,3})?", text) or max(map(int, sides)) > LARGEST_SIDE:
        raise ValueError(f"a size is a side or HEIGHTxWIDTH, up to {LARGEST_SIDE} pixels, such as 32 or 32x48")
    return text


ImageSize = Annotated[str, BeforeValidator(_as_size)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def _setting(
    default: Any, description: str, *, unit: str = "", paper: str = "", compact_only: bool = False, **limits: Any
) -> Any:
    """Describe a setting.

    Args:
        default: its value in the recipe ``fast``.
        description: its meaning.
        unit: the unit of its value, for docs/settings.md.
        paper: the source, for the same page.
        compact_only: whether the tutorial, whose networks are fixed, lacks this setting.
        limits: further arguments of pydantic's ``Field``.
    """
    about: dict[str, Any] = {"unit": unit, "paper": paper, "compact_only": compact_only}
    return Field(default, description=description, json_schema_extra=about, **limits)


#: A setting that the tutorial, whose networks are fixed, lacks.
_compact_setting = partial(_setting, compact_only=True)
#: A setting that counts steps.
_in_steps = partial(_setting, unit="steps")


class DataSettings(_Settings):
    """The images to learn from."""

    name: str = _setting("mnist", "a known data set, or the path of a folder or .npz file", min_length=1)
    directory: str | None = _setting(None, "where the data set's files are, if not in the usual places", min_length=1)
    ink: Literal["auto", "dark", "light"] = _setting(
        "auto", "the ink of your own grey images: dark is inverted, auto detects it"
    )
    resize: ImageSize | None = _setting(
        None, "fit the images into this side, or HEIGHTxWIDTH, in pixels", unit="pixels"
    )
    splits: Literal["auto", "yes", "no"] = _setting(
        "auto", "whether folders named train, test, ... are splits, not classes"
    )


class NetworkSettings(_Settings):
    """The size of one network, and the step size of its updates."""

    learning_rate: LearningRate = _setting(
        3e-3, "Adam's step size", unit="step size of Adam", paper="Kingma and Ba 2015"
    )
    channels: Channels = _compact_setting(48, "channels of the coarsest maps", unit="channels")


class PenaltySettings(_Settings):
    """The penalty on the discriminator's gradient with respect to the pixels, which keeps the discriminator smooth."""

    weight: Weight = _compact_setting(
        0.4,
        "gamma of R1 and R2, or lambda of WGAN-GP",
        unit="γ or λ, for pixels in [-1, 1]",
        paper="Mescheder et al. 2018, eq. 9 and 10; Gulrajani et al. 2017, eq. 3",
    )
    on: Literal["both", "real"] = _compact_setting(
        "both", "R1 and R2 (both), or R1 alone (real); not for wgan-gp", paper="Mescheder et al. 2018, eq. 9 and 10"
    )
    every: Count = _compact_setting(
        8,
        "compute it once in this many updates of the discriminator, with the weight times this number",
        unit="updates of the discriminator",
        paper="lazy regularisation: Karras et al. 2020, section 3.1",
    )
    pixels: Literal["-1..1", "0..1"] = _compact_setting(
        "-1..1",
        "the range of pixels that gradients refer to: that of the papers, or of earlier runs",
        unit="range of pixels",
    )


class WatchSettings(_Settings):
    """The intervals, in steps, at which a run logs, shows, measures and saves; 0 means never."""

    log_every: CountOrNever = _in_steps(10, "losses and images to TensorBoard, metrics.jsonl and the panel")
    show_every: CountOrNever = _in_steps(100, "a generated picture to notebooks, and terminals without a panel")
    show_seconds: Annotated[float, Field(ge=0, le=10**8, strict=True)] = _setting(
        5.0, "the least time between two of these pictures", unit="seconds"
    )
    grid_every: CountOrNever = _in_steps(50, "the picture of the fixed latents")
    evaluate_every: CountOrNever = _in_steps(0, "measure the quality; the best checkpoint is kept")
    doctor_every: CountOrNever = _in_steps(30, "the doctor checks the run's health")
    save_every: Count = _in_steps(500, "a checkpoint")
    keep: Annotated[int, Field(ge=1, le=1000, strict=True)] = _setting(
        2, "the number of newest checkpoints to keep, besides step 0 and the best one", unit="checkpoints"
    )


#: The settings that may change while a run trains: those that leave every tensor its shape.
CHANGEABLE = ("generator.learning_rate", "discriminator.learning_rate", "penalty.weight")


class Change(NamedTuple):
    """Settings that change while a run trains.

    Attributes:
        step: the first joint step for which they hold; negative in pre-training.
        settings: the new values, by dotted key: of learning rates and of ``penalty.weight``.
        reason: why, for the reader.
    """

    step: int
    settings: Mapping[str, float]
    reason: str = ""

    @classmethod
    def parse(cls, text: str) -> Change:
        """Read ``STEP KEY=VALUE ... # REASON``, the form in which settings hold a change.

        Raises:
            ValueError: the text has another form.
        """
        what, _, reason = text.partition("#")
        step, *settings = what.split() or [""]
        pairs = dict(one.partition("=")[::2] for one in settings)
        try:
            number = int(step)
            values = {key: float(value) for key, value in pairs.items()}
        except ValueError:
            values = {}
        if not values or not values.keys() <= set(CHANGEABLE):
            raise ValueError(f"write changes of {', '.join(CHANGEABLE)} like '400 penalty.weight=2'")
        return cls(number, values, reason.strip())

    @property
    def healing(self) -> int:
        """The number of the healing that made the change; 0 if a user gave it."""
        match = re.match(r"healing (\d+): ", self.reason)
        return int(match[1]) if match else 0

    def __str__(self) -> str:
        """Write the change in the form that :meth:`parse` reads."""
        settings = " ".join(f"{key}={value}" for key, value in self.settings.items())
        return f"{self.step} {settings}{f' # {self.reason}' if self.reason else ''}"


class Config(_Settings):
    """Everything that decides what a run computes and writes: each setting is an attribute, such as ``watch.keep``."""

    recipe: RecipeName = _setting("fast", "the recipe: networks, losses and update rules")
    seed: int = _setting(0, "the seed of all randomness of the run", ge=0, le=LARGEST_SEED, strict=True)
    steps: Count | None = _in_steps(2500, "the run's total of joint steps")
    seconds: Annotated[float, Field(gt=0, le=10**8, strict=True)] | None = _setting(
        None, "train for this long instead of a number of steps", unit="seconds"
    )
    extended_from: tuple[Count, ...] = _in_steps(
        (), "the totals of steps that the run had before `inkgan train --extend` made it longer"
    )
    changes: tuple[Annotated[str, Field(max_length=500)], ...] = _compact_setting(
        (), "settings that change at a joint step: 'STEP KEY=VALUE ...'; `inkgan train --heal` adds some"
    )
    batch_size: Annotated[int, Field(ge=2, le=65_536, strict=True)] = _setting(64, "images in a batch", unit="images")
    critic_steps: Annotated[int, Field(ge=1, le=100, strict=True)] = _compact_setting(
        1,
        "updates of the discriminator in each step, each on a batch of its own",
        unit="updates of the discriminator",
        paper="k: Goodfellow et al. 2014, Algorithm 1; n_critic: Gulrajani et al. 2017, Algorithm 1",
    )
    slices: Annotated[int, Field(ge=1, le=1024, strict=True)] = _compact_setting(
        1,
        "equal parts of a batch that processes can share; the result depends on it in rounding",
        unit="parts of a batch",
    )
    pretraining_steps: CountOrNever = _in_steps(
        0, "steps of the discriminator alone, before the joint ones", paper="the tutorial"
    )
    network: str = _compact_setting(
        "compact",
        "the networks: compact, or one of your own",
        max_length=60,
        paper="[a network of your own](research.md#a-network-of-your-own)",
    )
    precision: Precision = _setting(
        "auto",
        "the arithmetic of the networks; weights are always float32",
        paper="master weights in float32: Micikevicius et al. 2018",
    )
    conditional: bool = _compact_setting(
        True, "condition the networks on labels, if there are labels", strict=True, paper="Mirza and Osindero 2014"
    )
    latent_dim: Annotated[int, Field(ge=1, le=4096, strict=True)] = _compact_setting(
        64, "numbers in a latent", unit="numbers", paper="Goodfellow et al. 2014"
    )
    loss: Loss = _compact_setting("relativistic", "the loss; `inkgan help training` explains each", paper="see below")
    slope: ZeroToOne = _compact_setting(
        0.1, "slope of the networks' leaky ReLUs for negative numbers", paper="leaky ReLU: Maas et al. 2013"
    )
    class_weight: Weight = _compact_setting(
        0.3,
        "weight of the auxiliary classifier in both networks' losses",
        unit="factor",
        paper="auxiliary classifier: Odena et al. 2017",
    )
    ema_half_life: ZeroToOne = _compact_setting(
        0.1,
        "half-life of the generator's moving average, as a fraction of the steps done so far",
        unit="fraction of the steps done so far",
        paper="Karras et al. 2024, section 3",
    )
    fade: ZeroToOne = _compact_setting(
        0.75,
        "share of the run, at its end, in which learning rates go to zero; less below 1,800 steps",
        unit="share of the run",
    )
    data: DataSettings = DataSettings()
    generator: NetworkSettings = NetworkSettings()
    discriminator: NetworkSettings = NetworkSettings()
    penalty: PenaltySettings = PenaltySettings()
    watch: WatchSettings = WatchSettings()

    @model_validator(mode="after")
    def _length_is_valid(self) -> Config:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("give either steps or seconds, not both" if self.steps else "give steps or seconds")
        totals = [*self.extended_from, self.steps or math.inf]
        if totals != sorted(set(totals)) or (self.extended_from and self.steps is None):
            raise ValueError(
                f"a run that was extended at step {self.extended_from[-1]} gets longer by --extend alone; "
                "a new run needs extended_from=[]"
            )
        return self

    @model_validator(mode="after")
    def _changes_are_in_order(self) -> Config:
        steps = [change.step for change in self.parsed_changes()]
        if steps != sorted(set(steps)):
            raise ValueError("changes are in the order of their steps, one for each step")
        try:
            for step in steps:
                self.at(step)
        except ValidationError as error:
            raise ValueError(_one_line(error).removesuffix(".")) from None
        return self

    @model_validator(mode="after")
    def _slices_are_equal(self) -> Config:
        if self.batch_size % self.slices:
            size = -(-self.batch_size // self.slices) * self.slices
            raise ValueError(f"slices={self.slices} must divide batch_size={self.batch_size}. Give batch_size={size}")
        return self

    @model_validator(mode="after")
    def _tutorial_is_fixed(self) -> Config:
        if self.recipe == "tutorial":
            own = flat(self.model_dump())
            for key in compact_only():
                if own[key] != known_settings()[key].default:
                    raise ValueError(f"the tutorial is fixed and has no {key}; the recipes fast and best have it")
        return self

    @model_validator(mode="after")
    def _penalty_is_that_of_the_loss(self) -> Config:
        if self.loss == "wgan-gp" and self.penalty.on != "both":
            raise ValueError("penalty.on=real has no effect with loss=wgan-gp. Give penalty.on=both, or another loss")
        return self

    def parsed_changes(self) -> list[Change]:
        """Return the changes, in the order of their steps."""
        return [Change.parse(text) for text in self.changes]

    @property
    def healings(self) -> int:
        """How many times a run with these settings was healed."""
        return max((change.healing for change in self.parsed_changes()), default=0)

    def at(self, step: int) -> Config:
        """Return the settings that hold at a joint step, without the changes that led to them."""
        if not self.changes:
            return self
        settings = {**flat(self.model_dump()), "changes": ()}
        for change in self.parsed_changes():
            if change.step <= step:
                settings |= change.settings
        return Config.model_validate(nested(settings))

    def before(self, step: int) -> Config:
        """Return the same settings with only those changes that come before a step."""
        earlier = tuple(str(change) for change in self.parsed_changes() if change.step < step)
        return self if earlier == self.changes else self.model_copy(update={"changes": earlier})

    def extended(self, steps: SupportsIndex) -> Config:
        """Return the settings of the same run, longer by ``steps``.

        Raises:
            ConfigError: the run's length is not a number of steps, it would be too long, or ``steps`` is below 1.
        """
        complaint = "extend={} is not allowed: it is a number of steps, 1 or above."
        steps = whole_number(steps, complaint, 1, LONGEST_RUN)
        if self.steps is None:
            raise ConfigError("a run whose length is given in seconds cannot be extended. Start a new, longer one.")
        longer = {"steps": self.steps + steps, "extended_from": (*self.extended_from, self.steps)}
        return validated({**self.model_dump(), **longer})

    def before_extension(self) -> Config:
        """Return the settings that the run had before it was last extended.

        Raises:
            ConfigError: it never was.
        """
        if not self.extended_from:
            raise ConfigError("this run was never made longer, so it has no settings from before.")
        *earlier, last = self.extended_from
        return self.model_copy(update={"steps": last, "extended_from": tuple(earlier)})


def validated(settings: Mapping[str, Any]) -> Config:
    """Check the settings of a run, given in tables.

    Raises:
        ConfigError: a value is not allowed.
    """
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from None


#: The values in which each recipe differs from the defaults above.
PRESETS: Mapping[RecipeName, Mapping[str, Any]] = {
    "fast": {},
    "best": {
        "steps": 8000,
        "batch_size": 128,
        "slope": 0.2,
        "ema_half_life": 0.05,
        "fade": 1.0,
        "generator": {"learning_rate": 2e-3, "channels": 96},
        "discriminator": {"learning_rate": 2e-3, "channels": 64},
        "watch": {"grid_every": 200, "save_every": 1000},
    },
    "tutorial": {
        "steps": 100_000,
        "batch_size": 50,
        "pretraining_steps": 300,
        "generator": {"learning_rate": 1e-4},
        "discriminator": {"learning_rate": 3e-4},
        "watch": {"grid_every": 500, "save_every": 2000},
    },
}


class Published(NamedTuple):
    """A setting's value as a paper published it.

    Attributes:
        value: the value.
        source: the setting's name in the paper, the paper, and the place in it.
    """

    value: Any
    source: str


#: The settings that a loss puts in place of the recipe's, because its paper published the loss with them. The formulas
#: of the other losses have no penalty, so these losses keep the recipe's, which was chosen with its networks.
LOSS_PRESETS: Mapping[str, Mapping[str, Published]] = {
    "wgan-gp": {
        "critic_steps": Published(5, "n_critic, Gulrajani et al. 2017, Algorithm 1"),
        "penalty.weight": Published(10.0, "λ, Gulrajani et al. 2017, Algorithm 1"),
        "penalty.every": Published(1, "every update, Gulrajani et al. 2017, Algorithm 1"),
    },
}


@cache
def known_settings() -> dict[str, FieldInfo]:
    """Return every setting by dotted key, as pydantic describes it."""
    described: dict[str, FieldInfo] = {}
    for name, field in Config.model_fields.items():
        table = getattr(field.annotation, "model_fields", None)
        described |= {name: field} if table is None else {f"{name}.{inner}": one for inner, one in table.items()}
    return described


def about(key: str) -> dict[str, Any]:
    """Return the ``unit``, ``paper`` and ``compact_only`` with which :func:`_setting` declared a setting."""
    extra = known_settings()[key].json_schema_extra
    assert isinstance(extra, dict)
    return extra


@cache
def compact_only() -> tuple[str, ...]:
    """Return the keys of the settings that the tutorial does not have."""
    return tuple(key for key in known_settings() if about(key)["compact_only"])


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Turn tables of settings into settings by dotted key."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and (value or key in tables()):
            found |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            found[key] = value
    return found


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Turn settings by known dotted keys into tables of settings."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        table, _, name = key.rpartition(".")
        (found.setdefault(table, {}) if table else found)[name] = value
    return found


@cache
def tables() -> frozenset[str]:
    """Return the names of the tables of settings, such as ``watch``."""
    return frozenset(key.partition(".")[0] for key in known_settings() if "." in key)


def _one_line(error: ValidationError) -> str:
    """Describe the first error: what was given, and what is allowed."""
    first = error.errors()[0]
    message = instead(first)
    key = ".".join(map(str, first["loc"]))  # may end with the failed alternative of a union type
    while key and key not in known_settings():
        key = key.rpartition(".")[0]
    if not key:
        return f"{message}."
    meaning = known_settings()[key].description
    hint = ""
    if first["type"] == "literal_error":
        hint = did_you_mean(first["input"], re.findall("'(.*?)'", first["ctx"]["expected"]))
    return f"{key}={as_given(first['input'])} is not allowed: {message} ({meaning}).{hint}"
