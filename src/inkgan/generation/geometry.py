"""Where a page lies before the camera: one projective map moves its pixels and its boxes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkgan.generation.spacing import Box, as_boxes
from inkgan.images import Images

#: Page coordinates as columns (x, y), [2, N].
Points = NDArray[np.float64]
#: A projective map of points of the plane, [3, 3].
Homography = NDArray[np.float64]
#: Left, top, right and bottom of boxes [K, 4], which may lie between pixels.
Boxes = NDArray[np.float64]

#: A page that shrinks to less than this loses parts of thin lines, unless all its pixels are weighed.
_MUCH_SMALLER = 2 / 3


def page_corners(width: int, height: int) -> Points:
    """Return the corners of a page, clockwise from the upper left."""
    return np.array([[0, width, width, 0], [0, 0, height, height]], float)


def moved_corners(width: int, height: int, angle: float, inwards: Points) -> Points:
    """Turn the corners of a page around its middle, move them inwards, and shrink the page until all are inside.

    Args:
        width: the width of the page.
        height: the height of the page.
        angle: the angle in radians.
        inwards: pixels by which each corner moves inwards, in x and y.
    """
    middle = np.array([[width / 2], [height / 2]])
    arms = page_corners(width, height) - middle
    # At most half of the way to the middle, so that the page of a narrow text stays convex.
    arms -= np.sign(arms) * np.minimum(inwards, np.abs(arms) / 2)
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = np.array([[cosine, -sine], [sine, cosine]]) @ arms
    turned /= max(1.0, float(np.max(np.abs(turned) / middle)))
    return middle + turned


def homography(before: Points, after: Points) -> Homography:
    """Return the projective map [3, 3] that carries four points to four others.

    With h33 = 1, each pair of points gives two linear equations for the other eight numbers (Hartley and Zisserman,
    "Multiple view geometry", 2003, section 4.1).
    """
    rows = []
    for (x, y), (u, v) in zip(before.T, after.T, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    # Solved for what differs from the identity, so that a page that does not move keeps its pixels and boxes.
    numbers = np.linalg.solve(np.array(rows), (after - before).T.ravel())
    return np.eye(3) + np.append(numbers, 0.0).reshape(3, 3)


def transformed(points: Points, matrix: Homography) -> Points:
    """Apply a projective map to points."""
    x, y, w = matrix @ np.vstack([points, np.ones(points.shape[1])])
    return np.vstack([x / w, y / w])


def warped(image: Images, matrix: Homography) -> NDArray[np.float64]:
    """Apply a projective map to an image; everything outside it is paper.

    Cubic interpolation reads 4x4 pixels. A map that makes the page much smaller would skip the pixels in between and
    draw thin lines as dashes, so such a page is first resized by a filter that weighs all pixels.
    """
    height, width = image.shape[:2]
    picture = Image.fromarray(image)
    across, down = magnification(matrix, width, height)
    if min(across, down) < _MUCH_SMALLER:
        smaller = max(1, round(min(across, 1) * width)), max(1, round(min(down, 1) * height))
        picture = picture.resize(smaller, Image.Resampling.BICUBIC)
    back = np.diag([picture.width / width, picture.height / height, 1]) @ np.linalg.inv(matrix)
    numbers = (back / back[2, 2]).ravel()[:8].tolist()
    picture = picture.transform((width, height), Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BICUBIC)
    return np.asarray(picture, np.float64)


def magnification(matrix: Homography, width: int, height: int) -> NDArray[np.float64]:
    """Return the factors by which a projective map stretches a pixel in the middle of a page, across and down."""
    middle = np.array([width / 2, height / 2])
    x, y, w = matrix @ np.append(middle, 1)
    derivative = (matrix[:2, :2] - np.outer([x / w, y / w], matrix[2, :2])) / w
    return np.linalg.norm(derivative, axis=0)


def clipping(boxes: Boxes, cuts: NDArray[np.float64], width: int, height: int) -> Homography:
    """Return the map [3, 3] that cuts off the edges of a page by enlarging it beyond the image.

    Args:
        boxes: the boxes of the characters; half of each stays inside.
        cuts: the pixels to cut off at the left, top, right and bottom [4].
        width: the width of the page.
        height: the height of the page.
    """
    has_ink = boxes[:, 0] < boxes[:, 2]
    inked = boxes[has_ink] if has_ink.any() else boxes  # a generator may draw blank images
    middles = (inked[:, :2] + inked[:, 2:]) / 2
    page = np.array([width, height])
    # Near: the left and the top edge; far: the right and the bottom one.
    near, far = np.minimum(cuts[:2], middles.min(0)), np.minimum(cuts[2:], page - middles.max(0))
    # If both sides were cut to the middle of a lone character, nothing would be left of it, or of a page
    # without ink.
    most = page - np.maximum((inked[:, 2:] - inked[:, :2]).max(0), 1) / 2
    share = np.minimum(1, most / np.maximum(near + far, 1))
    (left, top), (right, bottom) = near * share, far * share
    across, down = width / (width - left - right), height / (height - top - bottom)
    return np.array([[across, 0, -left * across], [0, down, -top * down], [0, 0, 1]])


def grown(boxes: Boxes, by: float) -> Boxes:
    """Move the sides of boxes outwards; boxes without area stay as they are."""
    inked = boxes[:, 0] < boxes[:, 2]
    return boxes + inked[:, None] * by * np.array([-1, -1, 1, 1])


def bounding_boxes(boxes: Boxes, matrix: Homography) -> Boxes:
    """Return the bounding boxes of boxes that a projective map has moved."""
    corners = boxes[:, [[0, 2, 2, 0], [1, 1, 3, 3]]]  # [K, 2, 4]: x and y, clockwise from the upper left
    moved = transformed(corners.transpose(1, 0, 2).reshape(2, -1), matrix).reshape(2, -1, 4)
    return np.concatenate([moved.min(2), moved.max(2)]).T


def moved_boxes(boxes: Boxes, matrix: Homography, width: int, height: int) -> tuple[Box, ...]:
    """Return the bounding boxes, in whole pixels inside the image, of moved boxes; those without area stay without."""
    # Rounded to what an image can show: a side that falls on a whole pixel stays there, whatever the last bits are.
    around = np.round(bounding_boxes(boxes, matrix), 6)
    whole = np.concatenate([np.floor(around[:, :2]), np.ceil(around[:, 2:])], 1)
    empty = boxes[:, 0] == boxes[:, 2]
    whole[empty] = np.rint(around[empty])
    return as_boxes(np.clip(whole, 0, [width, height, width, height]).astype(int))
