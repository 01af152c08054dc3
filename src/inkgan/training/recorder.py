"""The records of a run while it trains: metrics.jsonl, TensorBoard, pictures, and reports to the watcher."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from inkgan.data import Split
from inkgan.device import environment, to_device
from inkgan.errors import reason_of, shown
from inkgan.generation.classes import are_unequal, in_proportion
from inkgan.images import Images, Labels, picture_of, save_animation, save_png, sheet, slices, to_uint8
from inkgan.networks.compact import split_output
from inkgan.runs import metrics
from inkgan.runs.metrics import MetricsWriter
from inkgan.seeds import Stream, latents, rng
from inkgan.training import tensorboard
from inkgan.training.doctor import Doctor, judged
from inkgan.training.doctor.probe import Probe
from inkgan.training.healing import IllnessError
from inkgan.training.recipe import Recipe
from inkgan.training.state import PreparedRun
from inkgan.training.watching import Opinion, StepProgress, Watcher

#: The number of fixed latents; the pictures in ``pictures/`` show all of them.
FIXED_COUNT = 100
#: The number of images side by side in these pictures.
GRID_COLUMNS = 10
#: The number of fixed latents that are drawn at each logged step, and in the tutorial.
_FIRST_COUNT = 10
_TUTORIAL_COUNT = 5
#: The number of images that ``watch.evaluate_every`` measures: few enough to take about a second.
_MEASURED_COUNT = 2000
#: The most pictures in the animation, and the most pixels that each of them has on a side.
_MOST_FRAMES = 120
_LARGEST_FRAME = 1024
#: The watcher hears of a step at least this often.
_SECONDS_BETWEEN_STEPS = 1.0
#: The number of these reports over which the speed is measured.
_REPORTS_FOR_SPEED = 21
#: TensorBoard's file is written this often, and with every checkpoint.
_SECONDS_BETWEEN_FLUSHES = 10.0


class Recorder:
    """Writes and shows the progress of a run.

    The metrics belong to the run: it stops if they cannot be written. Everything else is decoration: if a part of it
    fails, the watcher gets one warning, and the run goes on.

    Args:
        run: the run to record.
        watcher: receives reports.
        first_step: the first step of this start.

    Attributes:
        doctor: judges what is logged; None if the settings turn it off.
    """

    def __init__(self, run: PreparedRun, watcher: Watcher, first_step: int) -> None:
        self._run = run
        self._is_tutorial = run.config.recipe == "tutorial"
        self._progress_images = ProgressImages(run.recipe, run.data.train, run.config.seed, run.device)
        self._watcher = watcher
        self._metrics = MetricsWriter(run.folder.metrics_file)
        self._probe: Probe | None = None
        self.doctor: Doctor | None = None
        if run.config.watch.doctor_every:
            self._probe = Probe(run.recipe, run.data, run.config, run.device)
            self.doctor = judged(run.config, metrics.read(run.folder.metrics_file), run.data.class_names)
        self._reported: deque[tuple[int, float]] = deque(maxlen=_REPORTS_FOR_SPEED)
        self._shown_at = -math.inf
        self._told_at = -math.inf
        self._flushed_at = time.monotonic()
        self._started_at = time.perf_counter()
        self._seconds_measuring = 0.0
        self._failed: set[str] = set()
        self._first_step = first_step
        self._graph_is_due = first_step <= 0
        self._events = tensorboard.EventFile(run.folder.tensorboard, first_step)

    def begin(self, *, trains: bool) -> None:
        """Announce the run, and show the state that it starts from.

        Args:
            trains: whether steps follow. If none does, as in a run that is complete, the records stay as they are.
        """
        run, step = self._run, self._first_step
        about = environment(str(run.device), torch.get_num_threads(), run.precision_name)
        own = run.recipe.model_description().get("network_sha256")
        if own is not None:
            about["network_sha256"] = own
        if trains and (changes := run.folder.add_environment(about)):
            self._watcher.warn(f"the environment of the run has changed, so results may differ: {'; '.join(changes)}")
        self._watcher.started(run.folder.path, run.config, about, step)
        if step <= 0:  # TensorBoard forgets what is at the step at which a run resumes, or later
            self._events.add("text", "config", f"```json\n{run.config.model_dump_json(indent=1)}\n```")
            if not self._is_tutorial:
                self._events.add("layout", "", tensorboard.LAYOUT)
        if step == run.first_step:
            self.grid(0)
            self._show(None, number=0)
        elif trains and is_due(max(step, 0), run.config.watch.grid_every):
            self.grid(max(step, 0))  # again, because TensorBoard has forgotten it
        self._watcher.fixed(self._progress_images.fixed(_FIRST_COUNT))

    def step(self, step: int, terms: Mapping[str, Tensor], seconds: float, batch: Tensor) -> None:
        """Log and show a step that was just done, as often as the settings say.

        Args:
            step: its number.
            terms: its losses and figures.
            seconds: the time that the run has trained.
            batch: the real images [N, H, W, C] that the step learned from, for the doctor.

        Raises:
            DivergenceError: a loss or gradient is not finite.
            IllnessError: the doctor has found an illness that is to be healed.
        """
        watch = self._run.config.watch
        now = time.monotonic()
        is_logged = is_due(step, watch.log_every)
        is_examined = step >= 0 and is_due(step, watch.doctor_every)
        is_shown = is_due(step, watch.show_every) and now - self._shown_at >= watch.show_seconds
        if not (is_logged or is_examined or is_shown or now - self._told_at >= _SECONDS_BETWEEN_STEPS):
            return
        self._run.recipe.settle()
        progress = self._progress(step, terms, seconds)
        self._told_at = now
        self._watcher.stepped(progress)
        illness = None
        if is_logged or is_examined:
            signals = self._signals(step, batch) if is_examined else {}
            # All that the doctor judges is in the file: after a resume, and for `inkgan doctor`, it judges that again.
            figures = {**progress.terms, **signals, "seconds": round(seconds, 3), **_speed(progress)}
            self._write(step, figures)
            illness = self._judge(step, figures)
        if is_logged:
            self._chart(progress)
        if is_shown:
            self._shown_at = now
            self._show(progress, number=step + 1 + self._run.config.pretraining_steps)
        if now - self._flushed_at >= _SECONDS_BETWEEN_FLUSHES:
            self.flush()
        if illness is not None:
            raise illness

    def not_finite(self, step: int, sentence: str) -> None:
        """Log that a loss or a gradient of a step is not finite.

        Raises:
            IllnessError: it is to be healed.
        """
        self._write(step, {"not_finite": 1.0})
        if self.doctor is not None and self._run.heal:
            raise IllnessError(self.doctor.not_finite(step, sentence), self.doctor.ill_steps)

    def grid(self, step: int) -> None:
        """Save a picture of the fixed latents after ``step`` joint steps."""
        self._run.recipe.settle()
        with self._optional_output("a picture"):
            picture = sheet(self._progress_images.fixed(), GRID_COLUMNS)
            self._events.add("image", tensorboard.ALL_FIXED, picture, step)
            save_png(picture, self._run.folder.grid_file(step))

    def quality(self, step: int) -> float:
        """Measure the quality after a step and log it.

        Returns:
            The first figure; lower is better.
        """
        assert self._run.measure is not None, "a run that evaluates has a measure"
        self._run.recipe.settle()
        before = time.perf_counter()
        figures = self._run.measure(*self._progress_images.to_measure())
        now = time.perf_counter()
        self._seconds_measuring += now - before
        self._write(step, {f"quality/{name}": value for name, value in figures.items()})
        for name, value in figures.items():
            self._events.add("scalar", f"quality/{name}", value, step)
        self._events.add("scalar", "speed/share_of_measuring", self._seconds_measuring / (now - self._started_at), step)
        return next(iter(figures.values()))

    def finish(self) -> Path | None:
        """Draw the final sheet of the fixed latents, and the animation of how their images changed.

        Returns:
            The sheet's file; None if it could not be written.
        """
        for finding in self.doctor.findings if self.doctor else ():
            self._watcher.warn(str(finding))
        path = self._run.folder.pictures / "sheet.png"
        written = None
        with self._optional_output("a picture"):
            save_png(sheet(self._progress_images.fixed(), GRID_COLUMNS, scale=2), path)
            written = path
        with self._optional_output("the animation"):
            frames = self._frames()
            if frames:
                save_animation(frames, self._run.folder.pictures / "learning.gif")
        return written

    def flush(self) -> None:
        """Write everything recorded so far."""
        self._flushed_at = time.monotonic()
        if self._graph_is_due:
            self._graph_is_due = False
            with self._optional_output("the graph for TensorBoard"):
                self._events.add("graph", "", _graph(self._run.recipe, self._run.device))
        with self._optional_output("TensorBoard's event file"):
            self._events.flush()

    def close(self) -> None:
        """Write the rest, and close the files."""
        self.flush()
        with self._optional_output("TensorBoard's event file"):
            self._events.close()
        self._metrics.close()

    def _progress(self, step: int, terms: Mapping[str, Tensor], seconds: float) -> StepProgress:
        """Return the progress of the run after a step, with its losses and figures as numbers."""
        config = self._run.config
        values = torch.stack(list(terms.values())).tolist()  # all at once: each transfer makes a GPU wait
        named = dict(zip(terms, values, strict=True))
        self._reported.append((step, seconds))
        first, since = self._reported[0]
        speed = (step - first) / (seconds - since) if seconds > since else 0.0
        return StepProgress(step, config.steps, seconds, config.seconds, speed, named)

    def _write(self, step: int, figures: Mapping[str, float]) -> None:
        self._metrics.write(step, figures)
        if self._metrics.is_removed and "metrics" not in self._failed:
            self._failed.add("metrics")
            file = shown(self._run.folder.metrics_file)
            self._watcher.warn(f"{file} was removed, so what is logged now is lost. Stop the run, and --resume it.")
        self._watcher.logged(step, figures)

    def _signals(self, step: int, batch: Tensor) -> dict[str, float]:
        """Return the doctor's signals after a joint step."""
        assert self._probe is not None, "the probe looks at regular intervals"
        found: dict[str, float] = {}
        with self._optional_output("the doctor's look"):
            found = self._probe.look(batch)
        named = {f"doctor/{name}": value for name, value in found.items()}
        for name in sorted(set(named) & tensorboard.CHARTED):
            self._events.add("scalar", name, named[name], step)
        return named

    def _chart(self, progress: StepProgress) -> None:
        """Give TensorBoard the losses and figures of a step, and images of the first fixed latents.

        They are in one picture, or one by one as in the tutorial.
        """
        for name, value in {**progress.terms, **_speed(progress)}.items():
            self._events.add("scalar", tensorboard.tag_of(name, tutorial=self._is_tutorial), value, progress.step)
        if progress.step < 0:
            return
        if self._is_tutorial:
            for index, image in enumerate(self._progress_images.fixed(_TUTORIAL_COUNT)):
                self._events.add("image", tensorboard.TUTORIAL_IMAGE.format(index), picture_of(image), progress.step)
        else:
            images = self._progress_images.fixed(_FIRST_COUNT)
            self._watcher.fixed(images)
            self._events.add("image", tensorboard.FIRST_FIXED, sheet(images, _FIRST_COUNT), progress.step)

    def _show(self, progress: StepProgress | None, number: int) -> None:
        image, opinion = self._progress_images.single(number)
        self._watcher.picture(progress, image, opinion)

    def _judge(self, step: int, line: Mapping[str, float]) -> IllnessError | None:
        """Let the doctor judge the figures of a step, warn of what is new, and return the illness to heal, if any."""
        if self.doctor is None:
            return None
        for finding in self.doctor.judge(step, line):
            self._events.add("text", f"doctor/{finding.rule.name}", str(finding), step)
            if not (self._run.heal and finding.rule.healable):
                self._watcher.warn(str(finding))
        self._watcher.verdict(self.doctor.verdict)
        # Not only what is new: the run may have been ill before it was resumed with --heal.
        to_heal = [finding for finding in self.doctor.findings if finding.rule.healable] if self._run.heal else []
        return IllnessError(to_heal[0], self.doctor.ill_steps) if to_heal else None

    def _frames(self) -> list[Image.Image]:
        """Return the pictures of the fixed latents, evenly chosen, without those that cannot be read."""
        paths = list(self._run.folder.grids().values())
        chosen = np.linspace(0, len(paths) - 1, min(len(paths), _MOST_FRAMES)).astype(int)
        frames = []
        for path in (paths[number] for number in chosen):
            with self._optional_output("a frame of the animation"), Image.open(path, formats=("PNG",)) as picture:
                frames.append(picture.reduce(max(1, math.ceil(max(picture.size) / _LARGEST_FRAME))))
        return frames

    @contextlib.contextmanager
    def _optional_output(self, what: str) -> Iterator[None]:
        """Turn an error into a warning, the first time; the run goes on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the run
            if what not in self._failed:
                reason = reason_of(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
                self._watcher.warn(f"{what} could not be made ({reason}); the run continues without it.")
            self._failed.add(what)


class ProgressImages:
    """Draws the images that show the progress of a run, and those that are measured. It never changes the run.

    Args:
        recipe: draws them.
        real: real images, for the discriminator to compare a drawn one with.
        seed: the run's seed.
        device: where the recipe computes.
    """

    def __init__(self, recipe: Recipe, real: Split, seed: int, device: torch.device) -> None:
        self._recipe = recipe
        self._real = real
        self._seed = seed
        self._device = device

    def fixed(self, count: int = FIXED_COUNT) -> Images:
        """Draw images uint8 [count, H, W, C] of the first fixed latents; image i has class i modulo ``num_classes``."""
        z = self._latents(Stream.FIXED_LATENTS, 0, FIXED_COUNT)[:count]
        return to_uint8(self._recipe.draw(z, self._labels(np.arange(count))).cpu().numpy())

    def single(self, number: int) -> tuple[Images, Opinion]:
        """Draw an image uint8 [H, W, C], alone in its batch as in the tutorial, and ask the discriminator about it.

        Args:
            number: the number of steps so far; each number has its own latent, class and real image.
        """
        latent = self._latents(Stream.SHOWN_LATENTS, number, 1)
        draws = rng(self._seed, Stream.SHOWN_LABELS, number)
        label = self._labels(draws.integers(2**31, size=1))
        image = self._recipe.draw(latent, label)
        logit = self._recipe.discriminate(image, label)[0].item()
        if self._recipe.logits_have_zero:
            opinion = Opinion(estimate=logit)
        else:
            real = self._real_image(label, draws)
            margin = self._recipe.discriminate(real, label)[0].item() - logit
            opinion = Opinion(margin=margin, same_class=label is not None)
        return to_uint8(image.cpu().numpy())[0], opinion

    def _real_image(self, label: Tensor | None, draws: np.random.Generator) -> Tensor:
        """Choose a real image float32 [1, H, W, C] in [0, 1], of the given class if there is one."""
        candidates = np.arange(len(self._real))
        if label is not None and self._real.labels is not None:
            of_class = np.flatnonzero(self._real.labels == label.item())
            candidates = of_class if len(of_class) else candidates
        chosen = candidates[draws.integers(len(candidates), size=1)]
        return to_device(self._real.images[chosen], self._device).float() / 255

    def to_measure(self) -> tuple[Images, Labels | None]:
        """Draw images uint8 [N, H, W, C] of classes [N], always with the same latents and classes."""
        z = self._latents(Stream.MEASURED_LATENTS, 0, _MEASURED_COUNT)
        labels = self._labels(np.arange(_MEASURED_COUNT))
        if self._recipe.num_classes and self._real.labels is not None:
            # As `inkgan evaluate` asks for classes: in turn, or in the data's proportions if unequal.
            counts = np.bincount(self._real.labels, minlength=self._recipe.num_classes)
            if are_unequal(counts):
                labels = to_device(in_proportion(_MEASURED_COUNT, counts), self._device)
        parts = [
            self._recipe.draw(z[batch], None if labels is None else labels[batch])
            for batch in slices(_MEASURED_COUNT, 100)
        ]
        return to_uint8(torch.cat(parts).cpu().numpy()), None if labels is None else labels.cpu().numpy()

    def _latents(self, stream: Stream, number: int, count: int) -> Tensor:
        return to_device(latents(self._seed, stream, number, count, self._recipe.latent_dim), self._device)

    def _labels(self, numbers: NDArray[np.int64]) -> Tensor | None:
        """Return each number modulo the number of classes; None for a recipe without labels."""
        classes = self._recipe.num_classes
        return to_device(numbers % classes, self._device) if classes else None


def _graph(recipe: Recipe, device: torch.device) -> object:
    """Return TensorBoard's graph of both networks: from a latent to an image to a logit."""
    # Copies, because a forward pass changes batch normalisation and the like.
    networks = {stem: copy.deepcopy(recipe.networks[stem]) for stem in ("generator", "discriminator")}
    labels = [torch.zeros(2, dtype=torch.int64, device=device)] if recipe.num_classes else []
    zeros = torch.zeros(2, recipe.latent_dim, device=device, requires_grad=True)
    # Layers such as dropout must not advance the random state of the user's program.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        images = networks["generator"](zeros, *labels)
        logits, _ = split_output(networks["discriminator"](images, *labels))
    return tensorboard.graph_of({"generator": images, "discriminator": logits}, networks)


def _speed(progress: StepProgress) -> dict[str, float]:
    """Return the speed by its name in the log; nothing if it is not known yet: 0 would be a false figure."""
    speed = progress.steps_per_second
    return {"steps_per_second": round(speed, 3)} if speed else {}


def is_due(step: int, every: int) -> bool:
    """Whether something that happens every ``every`` steps happens at this one; 0 means never."""
    return every > 0 and step % every == 0
