"""Looks: how a written line appears on a scanned page, in a photograph, or in the field of a form.

Each look is a pure function of an image, the seed and the image's number. What moves pixels moves the boxes by the same
map: the homography that carries the corners of the page to their new places.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import ConfigError, did_you_mean
from inkgan.generation.writing import Box, Writing
from inkgan.images import Images
from inkgan.seeds import Stream, rng

#: Page coordinates as columns (x, y), [2, N].
Points = NDArray[np.float64]
Range = tuple[float, float]

#: Lengths of a look are in pixels of an image of this height.
_HEIGHT = 96


@dataclass(frozen=True)
class Look:
    """From which ranges chance takes what an image goes through, in this order.

    Attributes:
        frame: whether a printed frame with a rule stands around the line.
        turn: degrees by which the page is turned at most.
        corner: pixels by which a corner of the page moves inwards at most, as in a photograph from the side.
        ink: how dark full ink is, 0 to 1.
        paper: how bright the paper is, 0 to 1.
        texture: how much its brightness varies in spots.
        light: how much darker the darkest corner is than the brightest, at most.
        blur: the standard deviation of a Gaussian, in pixels.
        noise: the standard deviation of the sensor's noise, of 255.
        quality: of a JPEG file that the image goes through.
    """

    frame: bool
    turn: float
    corner: float
    ink: Range
    paper: Range
    texture: float
    light: float
    blur: Range
    noise: Range
    quality: tuple[int, int]


LOOKS: dict[str, Look | None] = {
    "clean": None,
    "scan": Look(False, 1.5, 0, (0.6, 1.0), (0.86, 1.0), 0.01, 0.04, (0.3, 1.2), (0, 5), (50, 95)),
    "photo": Look(False, 4.0, 8, (0.55, 0.95), (0.6, 0.95), 0.03, 0.45, (0.5, 2.2), (2, 10), (35, 90)),
    "field": Look(True, 1.5, 0, (0.6, 1.0), (0.86, 1.0), 0.01, 0.04, (0.3, 1.2), (0, 5), (50, 95)),
}


def valid_look(name: str, background: str = "white") -> str:
    """Return the name of a look, if there is one of that name and it goes with the background.

    Raises:
        ConfigError: there is none, or it has paper while the background is to be transparent.
    """
    if name not in LOOKS:
        raise ConfigError(f"unknown look {name!r}.{did_you_mean(name, LOOKS)} Choose from {', '.join(LOOKS)}.")
    if LOOKS[name] and background != "white":
        raise ConfigError(f"the look {name} has paper, so no {background} background. Leave one of both away.")
    return name


def with_look(writing: Writing, name: str, seed: int, number: int) -> Writing:
    """A writing as it appears in a look.

    Args:
        writing: on clean paper.
        name: of the look, one of :data:`LOOKS`; ``clean`` changes nothing.
        seed: with the number, decides what chance does.
        number: of the image.

    Returns:
        The same text; an image of the same size, whose paper is no longer 0; and for each character the box around
        its turned box.
    """
    look = LOOKS[name]
    if look is None:
        return writing
    draws = rng(seed, Stream.LOOK, number)
    height, width = writing.image.shape
    scale = height / _HEIGHT
    image = framed(writing.image, draws) if look.frame else writing.image
    corners = moved_corners(
        width, height, math.radians(draws.uniform(-look.turn, look.turn)), look.corner * scale, draws
    )
    there = homography(_corners(width, height), corners)
    page = 1 - draws.uniform(*look.ink) * warped(image, there) / 255
    page *= (
        draws.uniform(*look.paper) * spots(height, width, look.texture, draws) * light(height, width, look.light, draws)
    )
    seen = through_camera(page, draws.uniform(*look.blur) * scale, draws.uniform(*look.noise), draws)
    seen = through_jpeg(seen, int(draws.integers(look.quality[0], look.quality[1] + 1)))
    boxes = tuple(moved_box(box, there, width, height) for box in writing.boxes)
    return replace(writing, image=255 - seen, boxes=boxes, background="white")


def framed(image: Images, draws: np.random.Generator) -> Images:
    """Print a frame around the line and a rule below it, in a grey of its own."""
    height, width = image.shape
    thick = max(1, round(height / 64))
    edge = round(height * draws.uniform(0.04, 0.1))
    grey = round(255 * draws.uniform(0.25, 0.7))
    printed = np.zeros_like(image)
    printed[edge : height - edge, edge : width - edge] = grey
    printed[edge + thick : height - edge - thick, edge + thick : width - edge - thick] = 0
    rule = round(0.8 * height)
    printed[rule : rule + thick, edge : width - edge] = grey
    return np.maximum(image, printed)


def moved_corners(width: int, height: int, angle: float, corner: float, draws: np.random.Generator) -> Points:
    """Where the corners of a page go: turned around its middle, moved inwards, and shrunk until all are inside.

    Args:
        width: of the page.
        height: of the page.
        angle: in radians.
        corner: pixels by which each corner moves inwards at most, in x and y.
        draws: the numbers of chance.
    """
    middle = np.array([[width / 2], [height / 2]])
    arms = _corners(width, height) - middle
    arms -= np.sign(arms) * draws.uniform(0, 1, (2, 4)) * corner
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = np.array([[cosine, -sine], [sine, cosine]]) @ arms
    turned /= max(1.0, float(np.max(np.abs(turned) / middle)))
    moved: Points = middle + turned
    return moved


def homography(before: Points, after: Points) -> NDArray[np.float64]:
    """The projective map [3, 3] that carries four points to four others.

    With h33 = 1, each pair of points gives two linear equations for the other eight numbers (Hartley and Zisserman,
    "Multiple view geometry", 2003, section 4.1).
    """
    rows = []
    for (x, y), (u, v) in zip(before.T, after.T, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    numbers = np.linalg.solve(np.array(rows), after.T.ravel())
    return np.append(numbers, 1.0).reshape(3, 3)


def carried(points: Points, there: NDArray[np.float64]) -> Points:
    """Points after a projective map."""
    x, y, w = there @ np.vstack([points, np.ones(points.shape[1])])
    return np.vstack([x / w, y / w])


def warped(image: Images, there: NDArray[np.float64]) -> NDArray[np.float64]:
    """An image after a projective map of its points; paper comes in from outside."""
    from PIL import Image

    height, width = image.shape
    back = np.linalg.inv(there)
    numbers = (back / back[2, 2]).ravel()[:8].tolist()
    picture = Image.fromarray(image).transform(
        (width, height), Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BICUBIC
    )
    return np.asarray(picture, np.float64)


def moved_box(box: Box, there: NDArray[np.float64], width: int, height: int) -> Box:
    """The box around a box that was moved; one without area stays without."""
    left, top, right, bottom = box
    x, y = carried(np.array([[left, right, right, left], [top, top, bottom, bottom]], float), there)
    if left == right:
        place = (round(float(x[0])), round(float(y[0])))
        return (*place, *place)
    return (
        max(0, math.floor(x.min())),
        max(0, math.floor(y.min())),
        min(width, math.ceil(x.max())),
        min(height, math.ceil(y.max())),
    )


def spots(height: int, width: int, amount: float, draws: np.random.Generator) -> NDArray[np.float64]:
    """The texture of paper: brightness around 1, in spots of an eighth of the height."""
    from PIL import Image

    coarse = draws.standard_normal((8, max(8, round(8 * width / height))))
    smooth = Image.fromarray(coarse.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    return 1 + amount * np.asarray(smooth, np.float64)


def light(height: int, width: int, amount: float, draws: np.random.Generator) -> NDArray[np.float64]:
    """Uneven light: 1 where it is brightest, and darker in a straight line from there."""
    angle = draws.uniform(0, 2 * math.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope = x * math.cos(angle) + y * math.sin(angle)
    brightness: NDArray[np.float64] = 1 - amount * draws.random() * (slope - slope.min()) / np.ptp(slope)
    return brightness


def through_camera(
    page: NDArray[np.float64], blur: float, noise: float, draws: np.random.Generator
) -> NDArray[np.uint8]:
    """What a sensor makes of a page in [0, 1]: blurred, with noise, in 8 bits."""
    from PIL import Image, ImageFilter

    picture = Image.fromarray(np.rint(255 * np.clip(page, 0, 1)).astype(np.uint8))
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(blur)), np.float64)
    seen: NDArray[np.uint8] = np.clip(np.rint(blurred + noise * draws.standard_normal(page.shape)), 0, 255).astype(
        np.uint8
    )
    return seen


def through_jpeg(grey: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """An image as a JPEG file gives it back."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    with Image.open(file, formats=["JPEG"]) as picture:
        return np.asarray(picture.convert("L"))


def _corners(width: int, height: int) -> Points:
    """The corners of a page, from the upper left on clockwise."""
    return np.array([[0, width, width, 0], [0, 0, height, height]], float)
