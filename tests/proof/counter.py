"""Films whose every picture carries its own number, so that after any encode each picture says which one it is.

The number is a row of black and white blocks along the top, most significant bit first, with its complement in the
row below: a picture that was blended, torn or shifted disagrees with itself and reads as -1.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]  # (frames, height, width), luma

BITS = 16
_ROWS = 9  # the two rows of blocks take two ninths of the height
_BLACK, _WHITE = 24, 232
_CELL = 8  # of the texture, in pixels: coarse enough to survive an encode
_STEP = 3  # pixels that it moves by between pictures


@lru_cache(maxsize=4)
def _texture(width: int, height: int, seed: int) -> Pictures:
    """A smooth random surface, one period wider than the picture."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(40, 216, size=(-(-height // _CELL) + 1, -(-width // _CELL) + 1)).astype(np.float64)
    across = np.linspace(0, cells.shape[1] - 1.001, width)
    down = np.linspace(0, cells.shape[0] - 1.001, height)
    rows = np.array([np.interp(across, np.arange(cells.shape[1]), row) for row in cells])
    columns = np.array([np.interp(down, np.arange(cells.shape[0]), column) for column in rows.T])
    return np.ascontiguousarray(columns.T.astype(np.uint8))


def film(frames: int, size: tuple[int, int] = (320, 180), seed: int = 7) -> Iterator[bytes]:
    """`frames` pictures of (width, height) `size` as raw 8-bit grey, numbered from 0 on a texture that moves."""
    width, height = size
    texture = _texture(width, height, seed)
    row = height // _ROWS
    edges = [width * bit // BITS for bit in range(BITS + 1)]
    for number in range(frames):
        picture = np.roll(texture, -_STEP * number, axis=1)
        for bit, (left, right) in enumerate(pairwise(edges)):
            on = number >> (BITS - 1 - bit) & 1
            picture[:row, left:right] = _WHITE if on else _BLACK
            picture[row : 2 * row, left:right] = _BLACK if on else _WHITE
        yield picture.tobytes()


def read_numbers(pictures: Pictures) -> NDArray[np.int64]:
    """The number in each picture, whatever its size; -1 where it cannot be read."""
    _, height, width = pictures.shape
    # The middle third of each block: scaling and the codec smear the edges.
    values = np.empty((2, BITS, len(pictures)))
    for line in range(2):
        top = round((line + 1 / 3) * height / _ROWS)
        bottom = max(top + 1, round((line + 2 / 3) * height / _ROWS))
        for bit in range(BITS):
            left = round((bit + 1 / 3) * width / BITS)
            right = max(left + 1, round((bit + 2 / 3) * width / BITS))
            values[line, bit] = pictures[:, top:bottom, left:right].mean(axis=(1, 2))
    difference = values[0] - values[1]
    weights = 1 << np.arange(BITS - 1, -1, -1)
    numbers = ((difference > 0) * weights[:, None]).sum(axis=0)
    legible = (np.abs(difference) > (_WHITE - _BLACK) // 2).all(axis=0)
    return np.where(legible, numbers, -1)


def ssim(one: Pictures, other: Pictures) -> NDArray[np.float64]:
    """SSIM per picture: the mean over 8x8 blocks side by side (Wang et al. 2004, with its constants)."""
    return np.array([_ssim(a, b) for a, b in zip(one, other, strict=True)])


def _ssim(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    a, b = _blocks(one), _blocks(other)
    mean_a, mean_b = a.mean(axis=1), b.mean(axis=1)
    covariance = (a * b).mean(axis=1) - mean_a * mean_b
    variance_a, variance_b = (a * a).mean(axis=1) - mean_a**2, (b * b).mean(axis=1) - mean_b**2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    )
    return float(likeness.mean())


def _blocks(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = (side // 8 * 8 for side in picture.shape)
    tiles = picture[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    return tiles.reshape(-1, 64).astype(np.float32)
