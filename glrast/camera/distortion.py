"""How lenses bend: from where a pinhole would see a point to where this lens shows it.

A point at (X, Y, Z) in the axes of computer vision (y down, Z > 0 in front) is seen by a pinhole at (x, y) = (X/Z, Y/Z)
and shown at the pixel (fx x' + cx, fy y' + cy), with (x', y') from one of the formulas below. They are those of OpenCV
and COLMAP, letters and order of the parameters included. Straightening a picture needs this direction only: each
pixel of the straight one asks where the lens has put it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .transforms_json import Problem, number, short

KEYS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
FLAT = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")
RADIAL = (*FLAT, "FULL_OPENCV")
FISHEYE = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "FISHEYE", "SIMPLE_FISHEYE")

Formula = Callable[..., tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Distortion:
    """A lens that bends straight lines: a formula's name and its parameters."""

    kind: str
    values: tuple[float, ...]

    def __call__(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where a pinhole's (x, y), y down, float64, is shown, in units of the focal length."""
        with np.errstate(
            all="ignore"
        ):  # far outside the lens a formula may overflow: `reach` is nearer
            return FORMULAS[self.kind](x, y, *self.values)

    def __str__(self) -> str:
        return f"{self.kind} {', '.join(f'{value:.4g}' for value in self.values)}"

    @property
    def reach(self) -> float:
        """The largest x^2 + y^2 to the power 1/2 up to which the formula is one to one: beyond it folds back."""
        return _reach(self)


def radial(x, y, k1=0.0, k2=0.0, p1=0.0, p2=0.0, k3=0.0, k4=0.0, k5=0.0, k6=0.0):
    """OpenCV's: Brown's polynomial, over a second one of k4 k5 k6, and decentering p1 p2."""
    r2 = x * x + y * y
    scale = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return (
        x * scale + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * scale + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )


def fisheye(x, y, k1=0.0, k2=0.0, k3=0.0, k4=0.0):
    """OpenCV's fisheye: the angle to the axis, bent by a polynomial (Kannala and Brandt 2006)."""
    x, y, t2 = _by_angle(x, y)
    scale = 1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))
    return x * scale, y * scale


def thin_prism(x, y, k1, k2, p1, p2, k3, k4, sx1, sy1):
    """COLMAP's THIN_PRISM_FISHEYE: the angle, then radial, decentering and prism terms."""
    x, y, r2 = _by_angle(x, y)
    scale = 1 + r2 * (k1 + r2 * (k2 + r2 * (k3 + r2 * k4)))
    return (
        x * scale + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + sx1 * r2,
        y * scale + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + sy1 * r2,
    )


def rad_tan_thin_prism(x, y, k0, k1, k2, k3, k4, k5, p0, p1, s0, s1, s2, s3):
    """COLMAP's RAD_TAN_THIN_PRISM_FISHEYE, which Project Aria calls Fisheye624."""
    x, y, t2 = _by_angle(x, y)
    scale = 1 + t2 * (k0 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * (k4 + t2 * k5)))))
    x, y = x * scale, y * scale
    r2, across = x * x + y * y, 2 * (p0 * x + p1 * y)
    return (
        x * (1 + across) + p0 * r2 + r2 * (s0 + s1 * r2),
        y * (1 + across) + p1 * r2 + r2 * (s2 + s3 * r2),
    )


def fov(x, y, omega):
    """Devernay and Faugeras 2001: one angle."""
    r = np.hypot(x, y)
    if omega == 0:
        return x, y
    scale = np.arctan(2 * r * np.tan(omega / 2)) / (omega * np.maximum(r, 1e-12))
    scale = np.where(r < 1e-9, 2 * np.tan(omega / 2) / omega, scale)
    return x * scale, y * scale


def division(x, y, k):
    """Fitzgibbon 2001: the straight point is the bent one over 1 + k r'^2."""
    scale = 2 / (1 + np.sqrt(1 - 4 * k * (x * x + y * y)))
    return x * scale, y * scale


def eucm(x, y, alpha, beta):
    """Khomutenko, Garcia, Martinet 2016."""
    scale = 1 / (alpha * np.sqrt(beta * (x * x + y * y) + 1) + 1 - alpha)
    return x * scale, y * scale


def skew(x, y, s):
    """Pixel axes that are not at right angles, K[0,1] / K[0,0]: no bend, but no pinhole of a rasterizer either."""
    return x + s * y, y


FORMULAS: dict[str, Formula] = {
    "radial": radial,
    "fisheye": fisheye,
    "thin prism": thin_prism,
    "fisheye624": rad_tan_thin_prism,
    "fov": fov,
    "division": division,
    "eucm": eucm,
    "skew": skew,
}


def bent(kind: str, values: tuple[float, ...]) -> Distortion | None:
    """The distortion, or None where it changes nothing."""
    if kind in ("radial", "skew", "division") and not any(values):
        return None
    return Distortion(kind, values)


def read_distortion(settings: dict[str, Any]) -> Distortion | None:
    """What camera_model, is_fisheye, k1 .. k6, p1, p2 of a transforms.json say; None for a pinhole.

    k4 k5 k6 are OpenCV's denominator, and for a fisheye k1 .. k4 its polynomial.
    """
    k1, k2, k3, k4, k5, k6, p1, p2 = (
        number(settings, key) if key in settings else 0.0 for key in KEYS
    )
    model = str(settings.get("camera_model", "PINHOLE")).upper()
    if settings.get("is_fisheye") or model in FISHEYE:
        strange = [key for key in ("k5", "k6", "p1", "p2") if settings.get(key)]
        if strange:
            raise Problem(
                f"{strange[0]} must be 0 for a fisheye, which has k1 k2 k3 k4 only; got {settings[strange[0]]}; "
                "correct camera_model or the key."
            )
        return Distortion("fisheye", (k1, k2, k3, k4))
    if model not in RADIAL:
        raise Problem(
            f"camera_model must be one of {', '.join((*RADIAL, *FISHEYE))}; got "
            f"{short(settings.get('camera_model'))}; undistort the images first (colmap image_undistorter)."
        )
    return bent("radial", (k1, k2, p1, p2, k3, k4, k5, k6))


def _by_angle(x, y):
    """The point with its distance r from the axis replaced by the angle atan r, and that angle squared."""
    r = np.hypot(x, y)
    angle = np.arctan(r)
    scale = np.where(r < 1e-9, 1.0, angle / np.maximum(r, 1e-12))
    return x * scale, y * scale, angle * angle


@lru_cache(maxsize=64)
def _reach(distortion: Distortion) -> float:
    r = np.tan(np.linspace(0.0, 1.56, 4001))  # up to 89 degrees from the axis
    least = np.inf
    for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
        c, s = np.cos(angle), np.sin(angle)
        x, y = distortion(r * c, r * s)
        outwards = np.diff(x * c + y * s) > 0  # false where it is no number, too
        if not outwards.all():
            least = min(least, float(r[int(np.argmin(outwards))]))
    return least
