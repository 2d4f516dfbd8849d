"""The text of cameras: matrices K, R, t and P, by words before their numbers or by how many numbers there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .transforms_json import NAME, Problem, file_text, short

LARGEST_FILE = 1 << 26  # bytes
LABELS = {
    "k": "K",
    "r": "R",
    "t": "t",
    "p": "P",
    "contour": "P",
    "extrinsic": "E",
    "intrinsic": "K",
}
SIZES = {"K": (9, 16), "R": (9,), "t": (3,), "P": (12, 16), "E": (12, 16)}


class TextCamera(NamedTuple):
    """x_pixel = K (R x_world + t): [3,3], [3,3], [3]."""

    K: np.ndarray
    R: np.ndarray
    t: np.ndarray


def read_camera(path: Path) -> TextCamera:
    """The camera of a file of its own."""
    try:
        return _parts(_text(path))
    except Problem as problem:
        raise ValueError(f"{NAME}: {path}: {problem}") from None


def read_rows(path: Path) -> Iterator[tuple[str, TextCamera, str]]:
    """(Name of the picture, camera, "line 7") for each line of Middlebury's list."""
    lines = [line.split() for line in _text(path).splitlines() if line.strip()]
    if lines and len(lines[0]) == 1:
        count, lines = lines[0][0], lines[1:]
        if not count.isdecimal() or int(count[:12]) != len(lines):
            raise ValueError(
                f"{NAME}: {path}: line 1 must be the number of lines that follow, {len(lines)}; got {short(count)}; "
                "the file is cut or edited: copy it again."
            )
    for number, words in enumerate(lines, 2):
        where = f"line {number}"
        try:
            if len(words) != 22:
                raise Problem(
                    f"must be a name, K (9), R (9) and t (3); got {len(words)} words; correct it."
                )
            name = file_text({"name": words[0]}, "name")
            values = _numbers(words[1:])
        except Problem as problem:
            raise ValueError(f"{NAME}: {path}: {where}: {problem}") from None
        yield (
            name,
            TextCamera(values[:9].reshape(3, 3), values[9:18].reshape(3, 3), values[18:]),
            where,
        )


def split_matrix(P: np.ndarray) -> TextCamera:
    """K, R, t of P = K [R|t] [3,4], known up to its scale: K upper triangular with a positive diagonal, K[2,2] = 1."""
    M = P[:, :3]
    determinant = float(np.linalg.det(M))
    scale = np.linalg.norm(M)
    if not np.isfinite(P).all() or abs(determinant) <= 1e-12 * scale**3 or scale == 0:
        raise Problem(
            "P must be K [R|t] of a camera; its left 3 x 3 numbers have no inverse; export it again."
        )
    P = P * np.sign(determinant)
    # M = K R: the QR decomposition of the rows in reverse order, and back
    q, r = np.linalg.qr(P[::-1, :3].T)
    K, R = r.T[::-1, ::-1], q.T[::-1]
    signs = np.sign(np.diag(K))
    K, R = K * signs, R * signs[:, None]
    return TextCamera(K / K[2, 2], R, np.linalg.solve(K, P[:, 3]))


def _parts(text: str) -> TextCamera:
    """The camera of a file: by words before its numbers, or else by how many numbers there are."""
    found: dict[str, list[str]] = {}
    label = ""
    for word in (
        re.sub(r"#.*", "", text).replace(",", " ").replace("[", " ").replace("]", " ").split()
    ):
        key = LABELS.get(word.strip(":=").lower())
        if key:
            label = key
            found[label] = []
        elif word not in ("=", ";"):
            found.setdefault(label, []).append(word.rstrip(";"))
    parts = {key: _numbers(words) for key, words in found.items() if words}
    counts = {key or "numbers": len(values) for key, values in parts.items()}
    if "" in parts:
        parts = _by_count(parts[""]) if len(parts) == 1 else {}
    if "K" in parts and len(parts["K"]) in (10, 11, 12, 13):  # MVSNet: the depth range follows
        parts["K"] = parts["K"][:9]
    if any(len(values) not in SIZES[key] for key, values in parts.items()):
        parts = {}
    if "P" in parts:
        return split_matrix(parts["P"].reshape(-1, 4)[:3])
    if "K" in parts and "E" in parts:
        E = parts["E"].reshape(-1, 4)[:3]
        return TextCamera(_k(parts["K"]), E[:, :3], E[:, 3])
    if {"K", "R", "t"} <= set(parts):
        return TextCamera(_k(parts["K"]), parts["R"].reshape(3, 3), parts["t"])
    raise Problem(
        f"must have 12 numbers (P), 21 (K, R, t), or K (9), R (9) and t (3), or extrinsic (16) and intrinsic (9), each "
        f"after its word; found {counts or 'no number'}; correct the file."
    )


def _by_count(values: np.ndarray) -> dict[str, np.ndarray]:
    if len(values) == 21:
        return {"K": values[:9], "R": values[9:18], "t": values[18:]}
    return {"P": values} if len(values) in SIZES["P"] else {}


def _k(values: np.ndarray) -> np.ndarray:
    side = int(len(values) ** 0.5)
    return values.reshape(side, side)[:3, :3]


def _numbers(words: list[str]) -> np.ndarray:
    values = []
    for word in words:
        try:
            values.append(float(word))
        except ValueError:
            values.append(float("nan"))
        if not np.isfinite(values[-1]):
            raise Problem(f"must have finite numbers; got {short(word)}; correct it.")
    return np.array(values)


def _text(path: Path) -> str:
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(
            f"{NAME}: {path}: must have at most {LARGEST_FILE >> 20} MiB; got {size >> 20}; is it one?"
        )
    return path.read_text(encoding="utf-8-sig", errors="replace")
