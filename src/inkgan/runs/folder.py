"""The folder of one run: what was asked, on what it ran, what it measured, drew and learned.

runs/NAME/
    config.json        the resolved settings
    environment.json   versions, threads, device, commit: a list, one entry for each start
    metrics.jsonl      one line for each logged step
    tensorboard/       the same for TensorBoard, with images and graphs
    pictures/          grids of fixed latents by step, the final sheet, the animation
    checkpoints/       see inkgan.runs.checkpoint
    lock               held while a trainer works here
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import shlex
import shutil
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from inkgan.config import Config, Precision, differences, read_json
from inkgan.errors import CheckpointError, ConfigError, InkganWarning, OutputError
from inkgan.files import output_errors, write_bytes
from inkgan.runs import checkpoint, metrics

_PARTS = {"config.json", "environment.json", "metrics.jsonl", "tensorboard", "pictures", "checkpoints", "lock"}
#: What a start that was killed may leave; see inkgan.files.appearing_whole.
_LEFT_OVER = re.compile(r"\.(config\.json|environment\.json|metrics\.jsonl)\.\d+\.tmp\.jsonl?")
_GRID = re.compile(r"grid-(\d{7,})\.png")


class RunFolder:
    """The paths of a run, and what is read from and written to them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.json"
        self.environment_file = path / "environment.json"
        self.metrics_file = path / "metrics.jsonl"
        self.tensorboard = path / "tensorboard"
        self.pictures = path / "pictures"
        self.checkpoints = path / "checkpoints"

    @property
    def is_run(self) -> bool:
        """Whether a run was ever started here."""
        try:
            return self.config_file.is_file()
        except OSError:  # such as a name that is too long
            return False

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other trainers out. The system drops the lock when this process ends, however it ends.

        Raises:
            OutputError: another trainer works here, or the folder cannot be written.
        """
        with output_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / "lock", blocking=False)
            try:
                lock.acquire()
            except Timeout:
                raise OutputError(
                    f"another trainer works in {self.path}. Wait for it, stop it, or name another folder with --out."
                ) from None
        try:
            yield
        finally:
            lock.release()

    def start(self, config: Config, *, force: bool) -> None:
        """Begin a new run here.

        Raises:
            OutputError: the folder holds a run or other files, and ``force`` is off; or it is not a run at all.
        """
        self.require_free(force=force)
        with output_errors(self.path):
            # The settings go last and come last: a folder that has them is a run.
            for entry in sorted(self.path.iterdir(), key=lambda entry: entry == self.config_file):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.name != "lock":
                    entry.unlink()
        self._write_config(config)

    def require_free(self, *, force: bool) -> None:
        """Make sure that a new run may begin here; nothing is written.

        Raises:
            OutputError: the folder holds other files, or it holds a run and ``force`` is off.
        """
        with output_errors(self.path):
            present = sorted(entry.name for entry in self.path.iterdir()) if self.path.exists() else []
        foreign = [name for name in present if name not in _PARTS and not _LEFT_OVER.fullmatch(name)]
        parts = {name for name in present if name in _PARTS} - {"lock"}
        if foreign or (parts and not self._is_ours()) or (present == ["lock"] and (self.path / "lock").stat().st_size):
            named = ", ".join([*foreign, *sorted(parts)][:3]) or "lock"
            raise OutputError(
                f"{self.path} holds files that are not a run's ({named[:120]!r}), which are never removed. "
                "Name another folder with --out."
            )
        if parts and not force:
            raise OutputError(
                f"{self.path} holds a run already. Continue it with --resume, replace it with --force, "
                "or name another folder with --out."
            )

    def _is_ours(self) -> bool:
        try:
            return "recipe" in json.loads(self.config_file.read_text("utf-8"))
        except (OSError, ValueError, TypeError, RecursionError):
            return False

    def saved_config(self) -> Config:
        """The settings that the run was started with.

        Raises:
            CheckpointError: this is not a run folder, or its settings are damaged.
        """
        if not self.is_run:
            raise CheckpointError(f"{self.path} is not the folder of a run: it has no config.json.")
        try:
            return read_json(self.config_file)
        except ConfigError as error:
            raise CheckpointError(f"{self.config_file} is damaged: {error}") from None

    def precision_for(self, asked: Config) -> Precision:
        """The precision to resume in: ``auto`` goes on in the one that it was where the run began."""
        began: Precision = self._newest_state()[1].get("precision", asked.precision)
        return began if asked.precision == "auto" else asked.precision

    def require_same(self, asked: Config, digest: str) -> None:
        """Refuse to resume under other settings; the same data may lie elsewhere.

        Args:
            asked: the settings to go on under.
            digest: of the data to go on with.

        Raises:
            ConfigError: some differ; the message lists them.
            CheckpointError: the saved settings are damaged, or the data are others than those learned from.
        """
        saved, (newest, state) = self.saved_config(), self._newest_state()
        if state.get("digest") == digest:
            saved = saved.model_copy(update={"data": asked.data})
        if saved.precision == "auto" and state.get("precision") == asked.precision:
            saved = saved.model_copy(update={"precision": asked.precision})
        changed = differences(saved, asked)
        if changed:
            raise ConfigError(
                f"{self.path} was started with other settings: {'; '.join(changed)}. "
                "Resume without these options, or start a new run with --out."
            )
        if state.get("digest", digest) != digest:
            raise CheckpointError(
                f"{newest} learned from other images than {asked.data.name!r} holds now: their digest was "
                f"{str(state['digest'])[:16]}, it is {digest[:16]}. Put back the images, or start a new run with --out."
            )

    def note_data(self, asked: Config) -> None:
        """Keep where the data lie now, for whoever resumes the run without saying so."""
        saved = self.saved_config()
        if saved.data != asked.data:
            self._write_config(saved.model_copy(update={"data": asked.data}))

    def _write_config(self, config: Config) -> None:
        write_bytes(self.config_file, (config.model_dump_json(indent=1) + "\n").encode())

    def _newest_state(self) -> tuple[Path | None, dict[str, Any]]:
        """The newest checkpoint with a whole state, and what it says of the run; nothing where none was saved."""
        step, _ = checkpoint.newest_whole(self.checkpoints, ("state",))
        if step is None:
            return None, {}
        folder = self.checkpoints / checkpoint.checkpoint_name(step)
        return folder, checkpoint.read_document(folder, "state")

    def add_environment(self, environment: Mapping[str, Any]) -> list[str]:
        """Note on what the run (re)starts; returns what changed since the last start, as ``key: old -> new``."""
        starts = self._environments()
        last = starts[-1] if starts else environment
        write_bytes(self.environment_file, (json.dumps([*starts, environment], indent=1) + "\n").encode())
        watched = ("threads", "torch", "device", "cpu")
        return [f"{key}: {last.get(key)} -> {environment[key]}" for key in watched if last.get(key) != environment[key]]

    def _environments(self) -> list[dict[str, Any]]:
        try:
            starts = json.loads(self.environment_file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return []
        return starts if isinstance(starts, list) and all(isinstance(start, dict) for start in starts) else []

    def forget_after(self, step: int) -> None:
        """Drop the metrics of a step and later ones, and later pictures, which the resumed run makes again.

        Warns:
            InkganWarning: ``metrics.jsonl`` is damaged, or lines are missing.
        """
        config = self.saved_config()
        first_step = -config.pretraining_steps
        wrong = metrics.cut(self.metrics_file, step, first_step=first_step, every=config.watch.log_every)
        if wrong:
            warnings.warn(f"{wrong} The run goes on.", InkganWarning, stacklevel=2)
        for path in self.pictures.glob("grid-*.png"):
            match = _GRID.fullmatch(path.name)
            if match and int(match[1]) > max(step, 0):  # that of step 0 was drawn before pre-training
                path.unlink()

    def grids(self) -> list[Path]:
        """The pictures of the fixed latents, oldest first."""
        grids = {int(match[1]): path for path in self.pictures.iterdir() if (match := _GRID.fullmatch(path.name))}
        return [grids[step] for step in sorted(grids)]

    def grid_file(self, step: int) -> Path:
        """Where the picture of the fixed latents after ``step`` steps belongs."""
        return self.pictures / f"grid-{step:07d}.png"

    def checkpoint(self, which: str) -> Path:
        """The folder of a checkpoint.

        Args:
            which: ``latest``, ``best`` or a step.

        Raises:
            CheckpointError: there is no such checkpoint.
        """
        steps = checkpoint.list_steps(self.checkpoints)
        if not steps:
            raise CheckpointError(
                f"{self.path} has no checkpoint yet. Train it further: "
                f"inkgan train --resume --out {shlex.quote(str(self.path))}"
            )
        if which == "latest":
            return self.checkpoints / checkpoint.checkpoint_name(steps[-1])
        if which == "best":
            best = self.best_step()
            if best is None:
                raise CheckpointError(f"{self.path} measured no quality, so no checkpoint is the best. Use latest.")
            return self.checkpoints / checkpoint.checkpoint_name(best)
        if not re.fullmatch(r"-?\d{1,12}", which) or int(which) not in steps:
            known = ", ".join([*(["best"] if self.best_step() else []), *map(str, steps)])
            raise CheckpointError(f"{self.path} has no checkpoint {which!r}. It has: latest, {known}.")
        return self.checkpoints / checkpoint.checkpoint_name(int(which))

    def best_step(self) -> int | None:
        """The step of the checkpoint that scored best, where quality was measured."""
        best = self._newest_state()[1].get("best_step")
        return best if isinstance(best, int) else None


def free_run_path(parent: Path, stem: str) -> Path:
    """A folder for a new run: ``parent/stem``, or with the first free number behind it."""
    number = 1
    path = parent / stem
    while path.exists():
        number += 1
        path = parent / f"{stem}-{number}"
    return path


def newest_run(parent: Path, stem: str) -> Path:
    """The run of this name in which something was written last.

    Raises:
        CheckpointError: there is none.
    """
    pattern = re.compile(re.escape(stem) + r"(-\d+)?")
    runs = [path for path in parent.glob("*") if pattern.fullmatch(path.name) and RunFolder(path).is_run]
    if not runs:
        raise CheckpointError(f"there is no run {stem} in {parent} to resume. Name its folder with --out.")
    return max(runs, key=lambda path: max(entry.stat().st_mtime for entry in path.iterdir()))


def environment(device: str, threads: int, precision: str) -> dict[str, Any]:
    """What a run's figures depend on besides its settings."""
    packages = ("torch", "numpy", "safetensors", "pillow", "tensorboard")
    return {
        "inkgan": metadata.version("inkgan"),
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "device": device,
        "threads": threads,
        "precision": precision,
    }


def _cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """The commit of the source tree, where the package runs from one."""
    source = Path(__file__).parent
    try:
        command = ["git", "-C", str(source), "rev-parse", "HEAD"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
        tracked = ["git", "-C", str(source), "ls-files", "--error-unmatch", __file__]
        subprocess.run(tracked, capture_output=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
