"""Phantom lesions that have a word of the lexicon by construction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Frame, PixelFormat, Rect
from edge_us.phantom.lesion import Look, Pose
from edge_us.phantom.spec import Probe
from edge_us.phantom.still import StillSpec, render_still

Image = NDArray[np.uint8]

PLAIN = Look(6, 4, 0.0, 0, -47.0, 1.6, 0.0, 0.3, 0.0, 0.4, 0.0)
"""Smooth, sharp, 7 dB darker than the phantom's fat, attenuating as the tissue around it."""
OVAL = Pose(0.0, 16.0, 6.5, 4.2)


@dataclass(frozen=True)
class Made:
    """A lesion for 40 mm of depth, and the words that it must get."""

    look: Look
    pose: Pose
    words: dict[str, str]


LESIONS = {
    "oval": Made(
        PLAIN,
        OVAL,
        {
            "shape": "oval",
            "orientation": "parallel",
            "margin": "circumscribed",
            "echo_pattern": "hypoechoic",
            "posterior_features": "none",
        },
    ),
    "round": Made(PLAIN, Pose(0.0, 16.0, 4.6, 4.6), {"shape": "round", "orientation": "not parallel"}),
    "taller than wide": Made(PLAIN, Pose(0.0, 16.0, 3.8, 5.8), {"shape": "oval", "orientation": "not parallel"}),
    "oblique": Made(PLAIN, Pose(0.0, 16.0, 6.0, 3.8, 1.1), {"shape": "oval", "orientation": "not parallel"}),
    "irregular": Made(
        replace(PLAIN, waviness=0.24, corners=5),
        Pose(0.0, 16.0, 6.0, 4.6),
        {"shape": "irregular", "margin": "not circumscribed"},
    ),
    "indistinct": Made(replace(PLAIN, soft_mm=6.0), Pose(0.0, 16.0, 6.5, 4.6), {"margin": "not circumscribed"}),
    "angular": Made(replace(PLAIN, soft_mm=1.0, corners=7), Pose(0.0, 16.0, 5.5, 4.5), {"margin": "not circumscribed"}),
    "anechoic": Made(
        replace(PLAIN, echo_db=-75.0, texture_db=0.0, loss_db_mm=-0.6),
        OVAL,
        {"echo_pattern": "anechoic", "margin": "circumscribed", "posterior_features": "enhancement"},
    ),
    "isoechoic": Made(replace(PLAIN, echo_db=-38.8), OVAL, {"echo_pattern": "isoechoic"}),
    "hyperechoic": Made(replace(PLAIN, echo_db=-27.0), OVAL, {"echo_pattern": "hyperechoic"}),
    "complex": Made(
        replace(PLAIN, echo_db=-75.0, right_echo_db=-42.0), OVAL, {"echo_pattern": "complex cystic and solid"}
    ),
    "heterogeneous": Made(
        replace(PLAIN, echo_db=-48.0, right_echo_db=-30.0), Pose(0.0, 16.0, 7.0, 4.8), {"echo_pattern": "heterogeneous"}
    ),
    "shadowing": Made(replace(PLAIN, loss_db_mm=0.6), OVAL, {"posterior_features": "shadowing"}),
    "enhancing": Made(replace(PLAIN, loss_db_mm=-0.6), OVAL, {"posterior_features": "enhancement"}),
    "combined": Made(replace(PLAIN, loss_db_mm=0.6, right_loss_db_mm=-0.6), OVAL, {"posterior_features": "combined"}),
}


@cache
def make(name: str, probe: Probe, seed: int = 1) -> tuple[Frame, NDArray[np.float32], Rect]:
    """A picture of the lesion with its contour and image region; on curved probes half as large again."""
    made = LESIONS[name]
    scale = 1.0 if probe is Probe.LINEAR else 1.5
    pose, look = made.pose, made.look
    pose = replace(
        pose,
        center_z_mm=pose.center_z_mm * scale,
        semi_x_mm=pose.semi_x_mm * scale,
        semi_z_mm=pose.semi_z_mm * scale,
    )
    right = None if look.right_loss_db_mm is None else look.right_loss_db_mm / scale
    look = replace(look, loss_db_mm=look.loss_db_mm / scale, right_loss_db_mm=right, soft_mm=look.soft_mm * scale)
    spec = StillSpec(look, pose, probe, 40.0 * scale, 560, 420, seed)
    picture = render_still(spec)
    frame = Frame(picture.image, PixelFormat.GRAY8, 560, 420, 0, 0, 0, geometry=spec.geometry(picture))
    return frame, contour_of(picture.masks[0]), picture.region


def contour_of(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """As the detector gives it."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return np.asarray(max(found, key=cv2.contourArea), np.float32)[:, 0]


DYNAMIC_RANGE_DB = 58.0


def regained(gray: Image, gain_db: float = 0.0, gamma: float = 1.0) -> Image:
    """The picture with another gain and gamma; what is black stays black, what is too bright is white."""
    level = np.arange(256) / 255
    level = np.where(level > 0, np.clip(level + gain_db / DYNAMIC_RANGE_DB, 0, 1), 0) ** gamma
    return np.asarray(cv2.LUT(gray, np.rint(255 * level).astype(np.uint8)), np.uint8)
