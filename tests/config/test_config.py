"""Settings: presets, TOML, ``--set``, and a one-line error for everything that is not allowed."""

from __future__ import annotations

import json
import re
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkgan.config import Config, resolve
from inkgan.config.schema import LOSS_PRESETS, PRESETS, RECIPES, flat, known_settings, nested
from inkgan.config.sources import as_toml, differences, from_saved, read_config, reading_settings, require_settings
from inkgan.errors import ConfigError
from refusals import refusal

WRONG = (
    "steps=0", "steps=-1", "steps=1000000001", "steps=1.5", "steps=many", "steps=true", "steps=[1]",
    "seconds=0", "seconds=-1", "seconds=inf", "seconds=nan", "seconds=1e9", "seconds=true", "seconds='5'",
    "seed=-1", "seed=9223372036854775808", "seed=0.5", "seed=nan",
    "batch_size=1", "batch_size=65537", "pretraining_steps=-1",
    "precision=float16", "precision=1", "data.name=", "data.name=5", "data.directory=5",
    "data.resize=0", "data.resize=32x", "data.resize=4097", "data.resize=32x5000",
    "generator.learning_rate=0", "generator.learning_rate=-1", "generator.learning_rate=nan",
    "discriminator.learning_rate=inf", "discriminator.learning_rate=1e7",
    "watch.log_every=-1", "watch.show_every=-1", "watch.grid_every=-1", "watch.save_every=0", "watch.keep=0",
    "watch.keep=1001", "watch.show_seconds=-1", "watch.show_seconds=nan", "watch.show_seconds=inf",
)  # fmt: skip


def complaint(*overrides: str, file: Path | None = None) -> str:
    """Return the error that settings raise, checked to be one short line."""
    text = refusal(lambda: resolve(file=file, overrides=overrides), kind=ConfigError)
    assert len(text) < 400
    return text


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "key", [key for key, one in known_settings().items() if re.search(r"\bfloat\b", str(one.annotation))]
)
def test_a_number_without_a_value_is_not_answered_with_a_limit(key: str, value: str) -> None:
    assert "give a finite number" in complaint(f"{key}={value}")


def test_every_recipe_has_a_valid_preset() -> None:
    """The recipes that --recipe takes are those that have a preset."""
    assert tuple(PRESETS) == RECIPES
    assert tuple(resolve(options={"recipe": recipe}).recipe for recipe in PRESETS) == RECIPES


def test_the_preset_tutorial_has_the_numbers_of_the_tutorial() -> None:
    """The preset has the numbers of the tutorial's code."""
    config = resolve(options={"recipe": "tutorial"})
    assert (config.steps, config.pretraining_steps, config.batch_size) == (100_000, 300, 50)
    assert (config.generator.learning_rate, config.discriminator.learning_rate) == (1e-4, 3e-4)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["seed=9223372036854775807", "seconds=2.5"],
        ["data.name='a \"b\" \\ ü'", "data.directory=x", "watch.keep=9"],
        ['data.name="😀\\u007f\\n"'],
    ],
)
def test_toml_is_read_back(tmp_path: Path, overrides: list[str]) -> None:
    """--config reads back what --dry-run prints."""
    config = resolve(overrides=overrides)
    file = tmp_path / "settings.toml"
    file.write_text(as_toml(config), "utf-8")
    assert resolve(file=file) == config


def test_toml_with_a_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark, which some editors on Windows write, is no error."""
    file = tmp_path / "settings.toml"
    file.write_bytes(b"\xef\xbb\xbfsteps = 7\r\n")
    assert resolve(file=file).steps == 7


def test_toml_explains_every_setting() -> None:
    """Each line of the printed settings says what it means."""
    lines = [line for line in as_toml(resolve()).splitlines() if "=" in line]
    assert all(line.partition("  # ")[2] for line in lines)
    assert len(lines) == len(known_settings())
    assert [line.split()[1] for line in lines if line.startswith("#")] == [
        "seconds",
        "directory",
        "resize",
    ]  # commented out, because they have no value


def test_json_is_read_back(tmp_path: Path) -> None:
    """A run reads back the settings that it saved."""
    config = resolve(overrides=["seconds=3", "generator.learning_rate=1e-7"])
    file = tmp_path / "config.json"
    file.write_text(config.model_dump_json(), "utf-8")
    assert read_config(file) == config


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_settings_of_a_run_are_given_to_another(tmp_path: Path, recipe: str) -> None:
    """--config reads a run's config.json, also one of an earlier version; other settings override it."""
    config = resolve(options={"recipe": recipe}, overrides=["seconds=3", "generator.learning_rate=1e-7"])
    file = tmp_path / "config.json"
    file.write_text(config.model_dump_json(), "utf-8")
    assert resolve(file=file) == config
    changed = resolve(file=file, options={"seed": 4}, overrides=["steps=5"])
    assert changed == config.model_copy(update={"seed": 4, "steps": 5, "seconds": None})
    saved = json.loads(config.model_dump_json())
    del saved["penalty"]["pixels"], saved["critic_steps"]
    file.write_text(json.dumps(saved), "utf-8")
    assert resolve(file=file) == from_saved(saved)


@pytest.mark.parametrize(("text", "said"), [("", "it is not JSON"), ("[1]", "no table of settings")])
def test_json_that_no_run_saved(tmp_path: Path, text: str, said: str) -> None:
    """--config names a JSON file that it cannot read, and what it takes."""
    file = tmp_path / "figures.JSON"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=rf"figures\.JSON is damaged: .*{said}.* Name the config\.json of a run"):
        resolve(file=file)
    # The settings that such a file lacks would get the values of an earlier version: slope=0.2, data.ink=light, ...
    for content in ('{"name": "project"}', '{"recipe": "fast", "steps": 100}'):
        file.write_text(content, "utf-8")
        with pytest.raises(ConfigError, match=r"figures\.JSON does not hold all settings of a run\. Name the config"):
            resolve(file=file)
    with pytest.raises(ConfigError, match=r"cannot read .*absent\.json: no such file.*\. Name the config\.json"):
        resolve(file=tmp_path / "absent.json")


@pytest.mark.parametrize("name", ["run", "run.json"])
def test_the_folder_of_a_run_is_told_from_its_settings(tmp_path: Path, name: str) -> None:
    """Whoever names the folder learns which of its files to name."""
    folder = tmp_path / name
    folder.mkdir()
    with pytest.raises(ConfigError, match=f"cannot read .*{name}: "):
        resolve(file=folder)
    (folder / "config.json").write_text("{}", "utf-8")
    with pytest.raises(ConfigError, match=rf"{name} is the folder of a run\. Name the config\.json in it\.$"):
        resolve(file=folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\x00", '{"seed": 1e999}', '{"sed": 1}'])
def test_damaged_json(tmp_path: Path, text: str) -> None:
    """A run's damaged config.json raises a ConfigError."""
    file = tmp_path / "config.json"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError):
        read_config(file)


def test_settings_that_a_loss_sets() -> None:
    """A loss sets what its paper published, unless another value is given or the settings are those of a saved run."""
    config = resolve(overrides=["loss=wgan-gp"])
    assert (config.penalty.weight, config.penalty.every, config.critic_steps) == (10.0, 1, 5)
    config = resolve(options={"recipe": "best"}, overrides=["penalty.every=4", "loss=wgan-gp"])
    assert (config.penalty.weight, config.penalty.every, config.critic_steps) == (10.0, 4, 5)
    assert resolve(base=resolve(overrides=["loss=wgan-gp", "critic_steps=2"])).critic_steps == 2
    assert resolve(overrides=["loss=hinge"]) == resolve().model_copy(update={"loss": "hinge"})
    for loss, published in LOSS_PRESETS.items():
        assert published.keys() <= known_settings().keys()
        resolve(overrides={"loss": loss})
    assert "loss=[1] is not allowed: give 'non-saturating'" in complaint("loss=[1]")
    assert "the tutorial is fixed and has no critic_steps" in complaint("recipe=tutorial", "critic_steps=2")
    assert "the tutorial is fixed and has no loss" in complaint("recipe=tutorial", "loss=wgan-gp")


def test_a_penalty_that_the_loss_does_not_have() -> None:
    """A setting without effect is refused; runs of earlier versions, which accepted it, still load."""
    assert "penalty.on=real has no effect with loss=wgan-gp" in complaint("loss=wgan-gp", "penalty.on=real")
    assert resolve(overrides=["loss=hinge", "penalty.on=real"]).penalty.on == "real"
    saved = flat(resolve(overrides=["loss=wgan-gp"]).model_dump())
    assert from_saved(nested(saved | {"penalty.on": "real"})) == resolve(overrides=["loss=wgan-gp"])


def test_settings_saved_before_penalties_had_the_papers_units() -> None:
    """Old settings keep their meaning: gradients for pixels in [0, 1], and one update of the discriminator per step."""
    saved = json.loads(resolve(overrides=["loss=wgan-gp", "penalty.weight=3"]).model_dump_json())
    assert from_saved(saved) == resolve(overrides=["loss=wgan-gp", "penalty.weight=3"])
    del saved["penalty"]["pixels"], saved["critic_steps"], saved["data"]["ink"]
    before = from_saved(saved)
    assert (before.penalty.pixels, before.penalty.weight, before.critic_steps) == ("0..1", 3.0, 1)
    assert before.data.ink == "light"  # images were taken as they are
    tutorial = json.loads(resolve(options={"recipe": "tutorial"}).model_dump_json())
    del tutorial["penalty"]["pixels"], tutorial["critic_steps"]
    tutorial["penalty"]["weight"] = 0.1  # the default at that time, which the tutorial never used
    assert from_saved(tutorial) == resolve(options={"recipe": "tutorial"})


def test_settings_saved_before_the_slope_was_one() -> None:
    """Settings without a slope mean 0.2; settings that the tutorial saved but does not have mean nothing."""
    saved = json.loads(resolve(overrides=["slope=0.3"]).model_dump_json())
    assert from_saved(saved).slope == 0.3
    del saved["slope"]
    assert from_saved(saved) == resolve(overrides=["slope=0.2"])
    tutorial = json.loads(resolve(options={"recipe": "tutorial"}).model_dump_json())
    del tutorial["slope"]
    tutorial |= {"class_weight": 0.3, "ema_half_life": 0.05}
    tutorial["generator"]["channels"] = tutorial["discriminator"]["channels"] = 64
    assert from_saved(tutorial) == resolve(options={"recipe": "tutorial"})


def test_which_setting_wins(tmp_path: Path) -> None:
    """--set wins over options, options over the file, the file over the base, and the base over the recipe."""
    file = tmp_path / "settings.toml"
    file.write_text("seed = 1\nbatch_size = 11\n[watch]\nkeep = 7\n", "utf-8")
    base = resolve(overrides=["seed=9", "batch_size=9", "pretraining_steps=9", "watch.keep=9", "watch.save_every=9"])
    config = resolve(file=file, options={"seed": 2, "batch_size": 22, "steps": None}, overrides=["seed=3"], base=base)
    assert (config.seed, config.batch_size, config.watch.keep, config.pretraining_steps) == (3, 22, 7, 9)
    assert config.watch.save_every == 9


def test_seconds_take_the_place_of_steps(tmp_path: Path) -> None:
    """A run ends by steps or by time: the one from the stronger source wins, and both from one source are an error.

    Options and --set are typed together, so they are one source here: otherwise one of the two lengths would be lost.
    """
    assert resolve(options={"seconds": 5}).steps is None
    timed = resolve(options={"seconds": 5})
    assert resolve(options={"steps": 7}, base=timed) == resolve(options={"steps": 7})
    assert resolve(options={"seconds": 6}, base=resolve()) == resolve(options={"seconds": 6})
    assert complaint("steps=5", "seconds=5") == "give either steps or seconds, not both."
    refusal(lambda: from_saved({**resolve().model_dump(), "steps": None}), "give steps or seconds", kind=ConfigError)
    file = tmp_path / "settings.toml"
    file.write_text("steps = 9\n", "utf-8")
    assert resolve(file=file, options={"seconds": 5}) == timed
    both = partial(resolve, options={"seconds": 5}, overrides=["steps=7"])
    refusal(both, "give either steps or seconds, not both", kind=ConfigError)
    assert resolve(file=file, base=timed).steps == 9


@pytest.mark.parametrize("setting", WRONG)
def test_out_of_range(setting: str) -> None:
    """The error for a value that is not allowed names the key and the value, and says what the setting means."""
    key = setting.partition("=")[0]
    text = complaint(setting)
    assert re.match(rf"{re.escape(key)}=\S+ is not allowed: ", text)
    assert f"{known_settings()[key].description}" in text


def test_a_misspelt_word_is_recognised() -> None:
    """The error lists the words that are allowed once, and proposes the nearest one."""
    text = complaint("loss=hige")
    assert text.endswith(" Did you mean 'hinge'?")
    assert text.count("wgan-gp") == 1
    assert "Did you mean" not in complaint("loss=x")


def test_slices_that_do_not_divide_the_batch() -> None:
    """The next larger batch that they divide is proposed."""
    assert "Give batch_size=66" in complaint("batch_size=64", "slices=3")


NUMBERS = [key for key, value in flat(resolve().model_dump()).items() if type(value) in (int, float)]


@pytest.mark.parametrize("key", NUMBERS)
def test_every_setting_that_is_a_number_takes_numbers_alone(key: str) -> None:
    for wrong in ("true", "'5'"):
        assert f"{key}=" in complaint(f"{key}={wrong}")


@pytest.mark.parametrize(
    "given", [["data.ink=dark", "data.resize=20x30"], {"data.ink": "dark", "data": {"resize": "20x30"}}]
)
def test_settings_that_say_how_images_are_read(given: Any) -> None:
    """They are found by their short names, from a list or a mapping; every other setting is refused."""
    assert reading_settings(given) == {"ink": "dark", "resize": "20x30"}
    with pytest.raises(ConfigError, match=r"^loss does not change how images are read\. These do: data"):
        reading_settings(["loss=hinge"])


@pytest.mark.parametrize("given", ["loss=hinge", 5, None, [5], {5: "hinge"}])
def test_settings_are_a_mapping_or_a_list_of_texts(given: Any) -> None:
    with pytest.raises(ConfigError, match=r"^settings are a mapping, such as .*, or texts, such as "):
        require_settings(given)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("sed=1", "seed"),
        ("batchsize=1", "batch_size"),
        ("generator.lr=1", "generator.learning_rate"),
        ("learning_rate=1", "generator.learning_rate"),
        ("watch.save_evry=1", "watch.save_every"),
        ("wach.keep=1", "watch.keep"),
        ("save_every=1", "watch.save_every"),
    ],
)
def test_nearest_key(given: str, hint: str) -> None:
    """The error for an unknown key suggests the nearest one that exists."""
    assert f"Did you mean '{hint}'?" in complaint(given)


def test_a_setting_of_several_lines_is_one_value() -> None:
    """The later lines of a --set value belong to the value: they are not settings of their own."""
    assert "steps='5\\nseed = 3' is not allowed" in complaint("steps=5\nseed = 3")
    assert [resolve(overrides=[f"steps={given}"]).steps for given in ("5 # not many", "\n5\n")] == [5, 5]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("recipe=totorial", "unknown recipe 'totorial'. Did you mean 'tutorial'? Choose from fast, best, tutorial"),
        ("recipe=5", "unknown recipe 5"),
        ("data.name=a\udcff", "give a text in UTF-8"),
        ("data.directory=", "data.directory='' is not allowed"),
        ("seed.x=5", "unknown setting 'seed.x'. Did you mean 'seed'?"),  # a value has no settings below it
        *((given, "is not key=value") for given in ("seed", "=5", "  =5", "")),
        *((given, "table of settings") for given in ("watch=5", "data=mnist", "watch=[]", "generator=1e-4")),
    ],
)
def test_what_no_setting_can_be(given: str, said: str) -> None:
    assert said in complaint(given)


def test_a_value_for_a_table_in_a_file(tmp_path: Path) -> None:
    """An error in a file is reported even if an option sets another key of the same table."""
    file = tmp_path / "settings.toml"
    file.write_text('data = "kmnist"\n', "utf-8")
    with pytest.raises(ConfigError, match="data is a table of settings"):
        resolve(file=file, options={"data.directory": "/x"})


@pytest.mark.parametrize(
    "override",
    [
        ".".join("a" * 5000) + "=1",
        "seed=" + "9" * 5000,
        "seed=0x" + "f" * 5000,
        "generator.learning_rate=0x" + "f" * 5000,
        "seed=" + "[" * 5000 + "]" * 5000,
        "seed=" + "{a=" * 2000 + "1" + "}" * 2000,
        "x" * 100_000 + "=1",
        "precision='" + "x" * 100_000 + "'",
        "recipe='" + "x" * 100_000 + "'",
        "data.name=1979-05-27T07:32:00Z",
        "a\nb=1",
        'recipe="a\\nb"',
        'precision="a\\u001bb"',
    ],
    ids=lambda text: text[:20],
)
def test_monsters(override: str) -> None:
    """Enormous, deep and unprintable settings are refused in one short line."""
    complaint(override)


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"seed = ", b"seed = 1\nseed = 2", b"[watch", b"a" * 2**21, b"x = " + b"[" * 10_000,
     b".".join([b"a"] * 5000) + b" = 1", b"seed = " + b"9" * 5000, b" . ".join([b'"a"'] * 100_000) + b" = 1",
     b"[" + b".".join([b"a-1"] * 200_000) + b"]"],
    ids=range(10),
)  # fmt: skip
@pytest.mark.timeout(20)
def test_a_file_that_is_not_settings(tmp_path: Path, content: bytes) -> None:
    """A file that is not TOML, or too large, is refused; for the longest keys, Python's parser would take minutes."""
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    assert complaint(file=file).endswith(" Correct it, or name another TOML file.")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The error names a file that is missing or is a folder."""
    assert "none.toml: no such file" in complaint(file=tmp_path / "none.toml")
    assert "is a directory" in complaint(file=tmp_path)


def test_differences_name_each() -> None:
    """Every setting that differs between two configurations is listed with both values, and no other setting is."""
    old, new = resolve(), resolve(overrides=["seed=4", "watch.keep=5", "data.name=kmnist"])
    assert differences(old, new) == ["seed: 0 -> 4", "data.name: mnist -> kmnist", "watch.keep: 2 -> 5"]
    assert differences(old, resolve()) == []
    (of_two_lines,) = differences(old, resolve(overrides={"data.name": "a\nb"}))
    assert of_two_lines == r"data.name: mnist -> a\nb"


def test_every_setting_is_described() -> None:
    """Each key of the configuration, as saved, has a description."""

    def keys(table: dict[str, object], prefix: str = "") -> list[str]:
        return [
            key
            for name, value in table.items()
            for key in (keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name])
        ]

    assert keys(json.loads(Config().model_dump_json())) == list(known_settings())
    assert all(setting.description for setting in known_settings().values())


KEYS = st.one_of(
    st.sampled_from(sorted(known_settings())), st.text(max_size=8), st.from_regex(r"[a-z]{1,9}(\.[a-z]{0,9}){0,3}")
)
VALUES = st.one_of(
    st.text(max_size=12), st.integers().map(str), st.floats().map(str),
    st.sampled_from(["true", "[]", "{}", "''", "1979-05-27", "07:32:00", "1e400", "-0", "0x10", "{a={}}",
                     "5\nx=1", "[{}]"]),
)  # fmt: skip


def valid_or_refused(**given_settings: Any) -> None:
    """Check that settings make a valid configuration or raise a one-line ConfigError."""
    said = ""
    try:
        config = resolve(**given_settings)
    except ConfigError as error:
        said = str(error)
    assert said.isprintable()
    assert said or resolve(overrides=config.model_dump()) == config


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(st.tuples(KEYS, VALUES).map("=".join), max_size=4))
def test_fuzzed_overrides(overrides: list[str]) -> None:
    """Whatever --set is given, a valid configuration or a ConfigError of one line comes out."""
    valid_or_refused(overrides=overrides)


@pytest.mark.slow
@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=64),
        st.text(max_size=64).map(str.encode),
        st.lists(st.tuples(KEYS, VALUES).map(" = ".join), max_size=5).map(lambda lines: "\n".join(lines).encode()),
    )
)
def test_fuzzed_files(content: bytes) -> None:
    """Whatever a file holds, a valid configuration or a ConfigError of one line comes out."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        Path(file.name).write_bytes(content)
        valid_or_refused(file=Path(file.name))


@pytest.mark.parametrize("steps", [0, -5, 1.5, "5", None, True])
def test_a_length_that_no_run_can_be_extended_by(steps: Any) -> None:
    with pytest.raises(ConfigError, match=r"^extend=.* is not allowed: it is a number of steps, 1 or above\.$"):
        Config().extended(steps)


def test_the_settings_before_an_extension() -> None:
    """NumPy's numbers extend a run, too; a run that was never extended has no settings from before."""
    assert Config(steps=10).extended(np.int64(5)).steps == 15
    assert Config(steps=10).extended(5).before_extension() == Config(steps=10)
    with pytest.raises(ConfigError, match="was never made longer"):
        Config().before_extension()
