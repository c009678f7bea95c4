"""Which way the beam runs at a lesion: what "height", "width", "depth" and "below" mean on straight and curved probes.

Height and width are those of the lexicon, across the skin and along it, and the skin lies at a right angle to the beam.
So height is measured along the beam through the lesion's centre, where the source says how its beams run
(`Geometry.fan`), and along the picture's vertical elsewhere. A lesion 20 degrees off the middle of a convex probe that
is 0.7 times as tall as wide would else read 0.76.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge_us.frame import Fan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Unit = tuple[float, float]
"""Size of a pixel in x and y: in mm, or (1, 1) where the scale is unknown and pixels count as square."""


def beam_at(x: float, y: float, unit: Unit, fan: Fan | None) -> tuple[float, float]:
    """Direction of the beam at a point of the frame, away from the probe, of length 1 in the tissue.

    Parameters
    ----------
    x, y : float
        In px.
    unit : (float, float)
    fan : Fan or None
    """
    if fan is None:
        return 0.0, 1.0
    dx, dy = (x - fan.x) * unit[0], (y - fan.y) * unit[1]
    length = math.hypot(dx, dy)
    return (dx / length, dy / length) if length > 0 else (0.0, 1.0)


def depth_of(contour: NDArray[np.float32], unit: Unit, fan: Fan | None, skin: float) -> float:
    """Distance of the lesion's top edge from the skin along the beam, in the unit given; never below 0.

    Parameters
    ----------
    contour : ndarray of float32, shape (n, 2)
        Through the centres of the outermost pixels: the edge lies half a pixel above the topmost one.
    unit : (float, float)
    fan : Fan or None
        With it the skin is the probe's face.
    skin : float
        Without it: the first row of tissue, in px.
    """
    import numpy as np

    if fan is None:
        return max(0.0, (float(contour[:, 1].min()) - skin) * unit[1])
    reach = np.hypot((contour[:, 0] - fan.x) * unit[0], (contour[:, 1] - fan.y) * unit[1])
    return max(0.0, float(reach.min()) - (fan.face + 0.5) * unit[1])
