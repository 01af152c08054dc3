"""TensorBoard's view of a run: the names of figures and pictures (``group/name``), and the event files.

The recipe ``tutorial`` keeps the tutorial's names for everything that it shows. Event files are written now and then,
without a background thread.

TensorBoard and its protocol buffers take a while to import, so only the first flush imports them, when the run is under
way or at its end.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

_EVENT_FILE = re.compile(r"events\.out\.tfevents\.(\d{1,12})\..*")

#: The tag of every term that has another name in metrics.jsonl.
_TAGS = {
    "loss_discriminator": "loss/discriminator",
    "loss_generator": "loss/generator",
    "penalty": "loss/penalty",
    "margin": "margin/mean",
    "pairs_in_order": "margin/pairs_in_order",
    "score_real": "score/real",
    "score_fake": "score/generated",
    "loss_class_real": "classifier/loss_real",
    "loss_class_fake": "classifier/loss_generated",
    "steps_per_second": "speed/steps_per_second",
    "gradient_discriminator": "gradient/discriminator",
    "gradient_generator": "gradient/generator",
}
_TUTORIAL_TAGS = {
    "loss_generator": "Generator_loss",
    "loss_real": "Discriminator_loss_real",
    "loss_fake": "Discriminator_loss_fake",
}
#: The tags of the pictures of all fixed latents, and of the first ten.
ALL_FIXED = "pictures/fixed_latents"
FIRST_FIXED = "pictures/first_ten"
#: The tutorial's tag of a generated image; TensorFlow numbered the images of a batch.
TUTORIAL_IMAGE = "Generated_images/image/{}"

#: TensorBoard's page "Custom Scalars": the charts of each section, and the tags of each chart as regular expressions.
LAYOUT: Mapping[str, Mapping[str, list[str]]] = {
    "overview": {
        "losses": ["loss/generator", "loss/discriminator"],
        "real images ahead of generated ones": ["margin/mean"],
        "pairs in order: 0.5 is guessing": ["margin/pairs_in_order"],
        "distance to real images": ["quality/frechet.*"],
    },
    "health": {
        "images of a class differ: 1 is as much as real ones": ["doctor/spread", "doctor/spread_average"],
        "held-out pairs in order: 0.5 is guessing": ["doctor/order", "doctor/order_held_out"],
        "training images against held-out ones: 0.5 is no memorisation": ["doctor/memory"],
        "how far real and generated images are apart": ["doctor/separation", "doctor/margin", "doctor/margin_held_out"],
        "the learner: identical images, distance from its average": ["doctor/identical", "doctor/from_average"],
        "the rarest class, one drawn instead of others: 1 is as often as asked for": [
            "doctor/rarest",
            "doctor/drawn_instead",
        ],
        "classes drawn as another, classes known": ["doctor/drawn_wrongly", "doctor/classes_known"],
        "pixels against those of real images": ["doctor/range", "doctor/brightness", "doctor/dark_ink"],
        "units that are stuck": ["doctor/stuck_generator", "doctor/stuck_discriminator"],
        "sizes of gradients": ["gradient/discriminator", "gradient/generator"],
    },
    "details": {
        "share of images that show their class": ["quality/accuracy"],
        "auxiliary classifier": ["classifier/loss_real", "classifier/loss_generated"],
        "penalty": ["loss/penalty"],
        "probability of being real": ["score/real", "score/generated"],
        "steps per second": ["speed/steps_per_second"],
    },
}

#: Every tag that a chart shows. Of the doctor's signals, only these go to TensorBoard.
CHARTED = frozenset(tag for section in LAYOUT.values() for tags in section.values() for tag in tags)


def tag_of(term: str, *, tutorial: bool) -> str:
    """Return the tag of a figure.

    Args:
        term: its name in metrics.jsonl.
        tutorial: whether to use the tutorial's name where it has one.
    """
    tags = {**_TAGS, **_TUTORIAL_TAGS} if tutorial else _TAGS
    return tags.get(term, term if "/" in term else f"other/{term}")


class EventFile:
    """Collects values for TensorBoard, and writes them into an event file at every flush.

    Args:
        folder: the folder of event files, which the first flush makes.
        first_step: the first step of this start of the run; TensorBoard forgets what earlier files have from this step
            on.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        self._folder = folder
        self._first_step: int | None = first_step  # None once it is written to a file
        self._queue: list[tuple[str, str, Any, int, float]] = []  # the arguments of _event_of
        self._records: Any = None

    def add(self, kind: str, tag: str, value: Any, step: int = 0) -> None:
        """Add a value to show.

        Args:
            kind: ``scalar``, ``image`` (a picture), ``text`` (Markdown), ``graph`` (see :func:`graph_of`) or ``layout``
                (sections of charts of tags, for the page "Custom Scalars").
            tag: its name; slashes make groups.
            value: the number, picture, text, graph or layout.
            step: the step that it belongs to.
        """
        self._queue.append((kind, tag, value, step, time.time()))

    def flush(self) -> None:
        """Write everything added since the last flush; if that fails, drop it, and begin a new file next time."""
        queue, self._queue = self._queue, []
        if not queue:
            return
        try:
            if self._records is None:
                self._open()
            for entry in queue:
                self._records.write(_event_of(*entry).SerializeToString())
            self._records.flush()
        except BaseException:
            with contextlib.suppress(OSError):
                self.close()  # TensorBoard reads nothing after half a record
            raise

    def close(self) -> None:
        """Close the file."""
        records, self._records = self._records, None
        if records is not None:
            records.close()

    def _open(self) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
        from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

        self._folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads files in the order of their names, so a new name must be the last even if the clock was set
        # back.
        numbers = [int(match[1]) for path in self._folder.iterdir() if (match := _EVENT_FILE.fullmatch(path.name))]
        number = max(int(time.time()), 1 + max(numbers, default=0))
        self._records = RecordWriter((self._folder / f"events.out.tfevents.{number:010d}.inkgan").open("xb"))
        self._records.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        if self._first_step is not None:
            start = Event(wall_time=time.time(), step=self._first_step, session_log=SessionLog(status=SessionLog.START))
            self._records.write(start.SerializeToString())
            self._first_step = None


def _event_of(kind: str, tag: str, value: Any, step: int, wall_time: float) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event
    from torch.utils.tensorboard import summary

    make: Any = summary
    match kind:
        case "scalar":
            content = {"summary": make.scalar(tag, value)}
        case "image":
            content = {"summary": make.image(tag, np.asarray(value.convert("RGB")), dataformats="HWC")}
        case "text":
            content = {"summary": make.text(tag, value)}
        case "graph":
            content = {"graph_def": value.SerializeToString()}
        case "layout":
            # TensorBoard shows every tag that begins as the expression says; "$" keeps out those that continue.
            sections = {
                title: {chart: ["Multiline", [f"{tag}$" for tag in tags]] for chart, tags in charts.items()}
                for title, charts in value.items()
            }
            content = {"summary": make.custom_scalars(sections)}
    return Event(wall_time=wall_time, step=step, **content)


def graph_of(outputs: Mapping[str, Tensor], networks: Mapping[str, nn.Module]) -> Any:
    """Return the computation of some tensors, as autograd recorded it, in TensorBoard's GraphDef.

    Unlike tracing, this compiles nothing and leaves nothing behind in the process.

    Args:
        outputs: results by the name of the network that computed them, in the order in which they were computed. The
            graph groups operations by these names.
        networks: the networks by name; their parameters get names in the graph.
    """
    from tensorboard.compat.proto.graph_pb2 import GraphDef  # type: ignore[import-untyped]

    parameters = {
        id(parameter): f"{stem}/{name.replace('.', '/')}"
        for stem, network in networks.items()
        for name, parameter in network.named_parameters()
    }
    graph = GraphDef()
    names: dict[Any, str] = {}
    for scope, output in outputs.items():
        waiting = [output.grad_fn]
        while waiting:
            operation = waiting.pop()
            if operation is None or operation in names:
                continue
            leaf = getattr(operation, "variable", None)
            kind = "Input" if leaf is not None else re.sub(r"Backward\d*$", "", operation.name())
            names[operation] = parameters.get(id(leaf)) or f"{scope}/{kind}_{len(names)}"
            waiting += [source for source, _ in operation.next_functions]
    for operation, name in names.items():
        leaf = getattr(operation, "variable", None)
        sources = [names[source] for source, _ in operation.next_functions if source is not None]
        graph.node.add(name=name, op=operation.name() if leaf is None else "Parameter", input=sources)
    return graph
