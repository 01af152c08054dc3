"""What a run measures and draws, written to metrics.jsonl, TensorBoard and pictures."""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.jit._trace import TracerWarning
from torch.utils.tensorboard import SummaryWriter

from inkgan.files import output_errors
from inkgan.images import Images, arrange, save_animation, save_png, sheet
from inkgan.runs.folder import RunFolder
from inkgan.runs.metrics import MetricsWriter
from inkgan.training.recipe import Recipe

#: The tutorial's own names of the losses in TensorBoard, and the field's for the rest.
_TAGS = {
    "loss_generator": "Generator_loss",
    "loss_discriminator": "Discriminator_loss",
    "loss_real": "Discriminator_loss_real",
    "loss_fake": "Discriminator_loss_fake",
    "score_real": "Discriminator_score/real",
    "score_fake": "Discriminator_score/fake",
}
#: Columns of the picture of the fixed latents.
GRID_COLUMNS = 10


class RunLog:
    """Writes to the files of one run.

    Args:
        folder: the run.
        first_step: the first step that will be logged; what TensorBoard shows of it and later is hidden.
    """

    def __init__(self, folder: RunFolder, first_step: int) -> None:
        self._folder = folder
        self._excepthook = threading.excepthook
        self._metrics = MetricsWriter(folder.metrics_file)
        with output_errors(folder.tensorboard):
            self._board = SummaryWriter(str(folder.tensorboard), purge_step=first_step, max_queue=1000, flush_secs=10)
        threading.excepthook = self._writer_failed

    def metrics(self, step: int, terms: Mapping[str, float], seconds: float, steps_per_second: float) -> None:
        """Log the terms of one step, the training time so far and the speed."""
        times = {"seconds": round(seconds, 3), "steps_per_second": round(steps_per_second, 3)}
        self._metrics.write(step, {**terms, **times})
        with output_errors(self._folder.tensorboard):
            for name, value in terms.items():
                self._board.add_scalar(_TAGS.get(name, name), value, step)
            self._board.add_scalar("Speed/steps_per_second", steps_per_second, step)

    def quality(self, step: int, figures: Mapping[str, float], share: float) -> None:
        """Log what was measured after a step, and the share of the time since this start that measuring took."""
        self._metrics.write(step, {f"quality/{name}": value for name, value in figures.items()})
        with output_errors(self._folder.tensorboard):
            for name, value in figures.items():
                self._board.add_scalar(f"Quality/{name}", value, step)
            self._board.add_scalar("Speed/share_of_measuring", share, step)

    def images(self, step: int, images: Images) -> None:
        """Show generated images uint8 [N, H, W, C] in TensorBoard, under the tutorial's names."""
        with output_errors(self._folder.tensorboard):
            for index, image in enumerate(images):
                self._board.add_image(f"Generated_images/image/{index}", image, step, dataformats="HWC")

    def grid(self, step: int, images: Images) -> None:
        """Keep the picture of the fixed latents after ``step`` steps: uint8 [N, H, W, C]."""
        save_png(sheet(images, GRID_COLUMNS), self._folder.grid_file(step))
        with output_errors(self._folder.tensorboard):
            self._board.add_image("Fixed_latents", arrange(images, GRID_COLUMNS), step, dataformats="HWC")

    def graph(self, recipe: Recipe) -> None:
        """Show the graph of both networks in TensorBoard, and the settings as text."""
        self._board.add_text("config", "```json\n" + self._folder.config_file.read_text("utf-8") + "```")
        # In float64 and on the processor the layers take none of their fast paths, which cannot be traced.
        networks = copy.deepcopy(_Both(recipe)).cpu().double()
        latents = torch.zeros(2, recipe.latent_dim, dtype=torch.float64)
        networks(latents)  # constants that the layers make once do not belong to the graph
        with warnings.catch_warnings():
            # add_graph traces with torch.jit, which PyTorch calls deprecated and which remarks on constants.
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=TracerWarning)
            self._board.add_graph(networks, latents)

    def finish(self, images: Images) -> None:
        """Draw the final sheet of fixed latents and the animation of how they came to be."""
        save_png(sheet(images, GRID_COLUMNS, scale=2), self._folder.pictures / "sheet.png")
        grids = []
        for path in _at_most(self._folder.grids(), 120):
            with Image.open(path, formats=("PNG",)) as picture:
                grids.append(picture.copy())
        if grids:
            save_animation(grids, self._folder.pictures / "learning.gif")

    def flush(self) -> None:
        """Put everything logged so far into the files."""
        with output_errors(self._folder.tensorboard):
            self._board.flush()

    def close(self) -> None:
        """Write what is left and let go of the files."""
        try:
            with output_errors(self._folder.path):
                try:
                    self._metrics.close()
                finally:
                    self._board.close()
        finally:
            threading.excepthook = self._excepthook

    def _writer_failed(self, failure: threading.ExceptHookArgs) -> None:
        """Keep quiet about the system's errors in TensorBoard's writing thread: the next call of it raises them."""
        if not isinstance(failure.exc_value, OSError) or type(failure.thread).__name__ != "_AsyncWriterThread":
            self._excepthook(failure)


class _Both(nn.Module):
    """A latent through both networks, to be traced."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.generator, self.discriminator = recipe.networks["generator"], recipe.networks["discriminator"]
        self._labels = [torch.zeros(2, dtype=torch.int64)] if recipe.num_classes else []

    def forward(self, latents: Tensor) -> Any:
        judged = self.discriminator(self.generator(latents, *self._labels), *self._labels)
        return judged if isinstance(judged, Tensor) else judged[0]


def _at_most(items: list[Path], count: int) -> list[Path]:
    """Items evenly spread, first and last included."""
    if len(items) <= count:
        return items
    return [items[int(i)] for i in np.linspace(0, len(items) - 1, count)]
