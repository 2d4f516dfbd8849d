"""Ply files of random features, with what they mean worked out from the numbers that were drawn, not by a reader."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.mesh.drawn_mesh import PICTURES, Look, Polygon, Random, damaged, pngs, star

INTEGERS = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
}  # fmt: skip
FLOATS = {"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"}
ALL = INTEGERS | FLOATS
UV = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
COLORS = (
    ("red", "green", "blue"),
    ("r", "g", "b"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
)

Value = Any  # a number, or a list of them
Column = tuple[str, str, str | None]  # name, type, type of a list's length


def random_ply(seed: int) -> Random:
    """The file of this number."""
    return _Writer(np.random.default_rng([seed, 2])).made()


class _Writer:
    def __init__(self, g: np.random.Generator) -> None:
        self.g = g
        self.random = Random(name="a.ply")
        self.order = str(g.choice(["", "<", ">"]))
        self.end = str(g.choice(["\n", "\n", "\r\n"])) if self.order == "" else "\n"
        self.elements: list[tuple[str, list[Column], list[list[Value]]]] = []
        self.comments: list[str] = []

    def chance(self, p: float) -> bool:
        return bool(self.g.random() < p)

    def pick(self, words: Any) -> str:
        return str(self.g.choice(list(words)))

    def made(self) -> Random:
        g = self.g
        uv = self.pick(["", "", "vertex", "corner"])
        self.polygons = [
            int(n) for n in g.choice([3, 4, 5, 7] if self.chance(0.6) else [3], g.integers(1, 6))
        ]
        V = sum(self.polygons)
        self.vertices(V, uv == "vertex")
        self.extra(before=True)
        strips = self.faces(uv)
        self.extra(before=False)
        if strips is not None:
            self.strip(strips)
        if uv:
            self.random.files.update(pngs())
        self.random.files["a.ply"] = self.header() + self.body()
        return self.random

    def vertices(self, V: int, with_uv: bool) -> None:
        g = self.g
        far = self.chance(0.2)
        pos = []
        for n in self.polygons:
            frame = np.linalg.qr(g.standard_normal((3, 3)))[0]
            pos.append(star(g, n) @ frame[:2] + g.uniform(-3, 3, 3))
        shift = np.array([431000.0, 5412000.0, 300.0]) if far else np.zeros(3)
        kind = self.pick(["double", "float64"]) if far else self.pick(FLOATS)
        self.pos = np.round(np.concatenate(pos), 4) + shift
        columns: dict[str, tuple[str, np.ndarray]] = {
            a: (kind, self.pos[:, i]) for i, a in enumerate("xyz")
        }
        self.uv = np.zeros((V, 2))
        if with_uv:
            self.uv = np.round(g.uniform(-1, 2, (V, 2)), 3)
            for i, name in enumerate(self.pick_row(UV)):
                columns[name] = ("float", self.uv[:, i])
        self.colors = np.ones((V, 3))
        self.colored = self.chance(0.4)
        if self.colored:
            kind, stored, self.colors = self.color_values(V)
            for i, name in enumerate(self.pick_row(COLORS)):
                columns[name] = (kind, stored[:, i])
        if self.chance(0.3):
            for name in ("nx", "ny", "nz"):
                columns[name] = ("float", np.ones(V))
        if self.chance(0.3):
            columns["quality"] = (self.pick(ALL), np.full(V, 7))
        if self.chance(0.2):
            columns["history"] = ("list", np.zeros(V))
        names = [str(n) for n in g.permutation(list(columns))]
        described: list[Column] = [
            (n, "float", "uchar") if columns[n][0] == "list" else (n, columns[n][0], None)
            for n in names
        ]
        rows = [
            [
                [1.5] * int(g.integers(0, 3))
                if columns[n][0] == "list"
                else columns[n][1][i].item()
                for n in names
            ]
            for i in range(V)
        ]
        self.elements.append(("vertex", described, rows))

    def pick_row(self, rows: Any) -> tuple[str, ...]:
        return rows[int(self.g.integers(0, len(rows)))]

    def color_values(self, n: int) -> tuple[str, np.ndarray, np.ndarray]:
        """Type, what is stored, what it means."""
        g = self.g
        kind = self.pick(["uchar", "uint8", "ushort", "float", "int"])
        if kind == "ushort":
            stored = g.integers(0, 65536, (n, 3))
            return kind, stored, stored / 65535
        if kind == "float":
            stored = np.round(g.uniform(0, 1, (n, 3)), 3)
            return kind, stored, stored
        stored = g.integers(0, 256, (n, 3))
        return kind, stored, stored / 255

    def extra(self, before: bool) -> None:
        """An element that is no part of the mesh."""
        if not self.chance(0.3):
            return
        columns: list[Column] = [
            ("n", self.pick(ALL), None),
            ("more", self.pick(ALL), self.pick(["uchar", "int"])),
        ]
        rows: list[list[Value]] = [
            [3, [2] * int(self.g.integers(0, 4))] for _ in range(int(self.g.integers(0, 4)))
        ]
        self.elements.append((f"user_{'before' if before else 'after'}", columns, rows))

    def faces(self, uv: str) -> np.ndarray | None:
        """The element of faces; where all are triangles, perhaps strips instead: their corners."""
        g = self.g
        strips = not uv and set(self.polygons) == {3} and self.chance(0.4)
        if strips:
            self.add_polygons(Look(), [np.zeros((3, 2))] * len(self.polygons), None)
            return np.arange(len(self.pos)).reshape(-1, 3)
        looks, number = [Look()] * len(self.polygons), None
        if uv:
            pictures = [str(p) for p in g.permutation(list(PICTURES))][: int(g.integers(1, 4))]
            self.comments += [
                f"comment TextureFile {' ' * self.chance(0.3)}{p}{' ' * self.chance(0.3)}"
                for p in pictures
            ]
            number = g.integers(-1 if uv == "corner" else 0, len(pictures), len(self.polygons))
            if len(pictures) == 1 and self.chance(0.5):
                number[:] = 0
            looks = [_look(pictures[i]) if i >= 0 else Look() for i in number]
        start, rows, corner_uv = 0, [], []
        kind = self.pick(["int", "uint", "int32", "ushort"])
        columns: dict[str, Column] = {
            "i": (
                self.pick(["vertex_index", "vertex_indices"]),
                kind,
                self.pick(["uchar", "int", "uint8"]),
            )
        }
        if uv == "corner":
            columns["uv"] = ("texcoord", "float", self.pick(["uchar", "int"]))
        if uv:
            columns["number"] = ("texnumber", "int", None)
        face_colors = None
        if not self.colored and self.chance(0.3):
            color_kind, stored, face_colors = self.color_values(len(self.polygons))
            for name in ("red", "green", "blue"):
                columns[name] = (name, color_kind, None)
        if self.chance(0.3):
            columns["flags"] = ("flags", self.pick(INTEGERS), None)
        order = [str(n) for n in g.permutation(list(columns))]
        for k, n in enumerate(self.polygons):
            values: dict[str, Value] = {"i": list(range(start, start + n)), "flags": 1}
            texcoord = np.zeros((n, 2))
            if uv == "corner":
                if number is not None and number[k] >= 0:
                    texcoord = np.round(g.uniform(-1, 2, (n, 2)), 3)
                values["uv"] = texcoord.reshape(-1).tolist()
            elif uv:
                texcoord = self.uv[start : start + n]
            values["number"] = None if number is None else int(number[k])
            if face_colors is not None:
                values |= {
                    name: stored[k, i].item() for i, name in enumerate(("red", "green", "blue"))
                }
            rows.append([values[name] for name in order])
            corner_uv.append(texcoord)
            start += n
        self.elements.append(("face", [columns[name] for name in order], rows))
        self.add_polygons(looks, corner_uv, face_colors)
        return None

    def add_polygons(
        self, looks: Any, corner_uv: list[np.ndarray], face_colors: np.ndarray | None
    ) -> None:
        start = 0
        for k, n in enumerate(self.polygons):
            mine = slice(start, start + n)
            colors = self.colors[mine] if face_colors is None else np.tile(face_colors[k], (n, 1))
            corners = np.concatenate([self.pos[mine], corner_uv[k], colors], 1)
            self.random.polygons.append(
                Polygon(corners, looks if isinstance(looks, Look) else looks[k])
            )
            start += n

    def strip(self, corners: np.ndarray) -> None:
        values: list[int] = []
        for k, triangle in enumerate(corners.tolist()):
            values += ([-1] if k else []) + triangle
        self.elements.append(("tristrips", [("vertex_indices", "int", "int")], [[values]]))

    def header(self) -> bytes:
        name = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[self.order]
        lines = ["ply", f"format {name} 1.0", *self.comments]
        for element, columns, rows in self.elements:
            if self.chance(0.3):
                lines.append(
                    self.pick(
                        ["comment made by end_header chance", "obj_info num_cols 5", "comment"]
                    )
                )
            lines.append(f"element {element} {len(rows)}")
            for column, kind, count in columns:
                lines.append(
                    f"property {kind} {column}"
                    if count is None
                    else f"property list {count} {kind} {column}"
                )
        return "".join(line + self.end for line in [*lines, "end_header"]).encode()

    def body(self) -> bytes:
        out = []
        for _, columns, rows in self.elements:
            for row in rows:
                parts = []
                for (_, kind, count), value in zip(columns, row, strict=True):
                    if count is not None:
                        parts.append(self.packed(count, [len(value)]))
                    parts.append(self.packed(kind, value if count is not None else [value]))
                out.append((b" " if self.order == "" else b"").join(p for p in parts if p))
                if self.order == "":
                    out.append(b" " * self.chance(0.1) + self.end.encode())
        return b"".join(out)

    def packed(self, kind: str, values: list[Any]) -> bytes:
        if self.order == "":
            return " ".join(repr(v) if kind in FLOATS else str(int(v)) for v in values).encode()
        return np.array(values).astype(self.order + ALL[kind]).tobytes()


def _look(picture: str) -> Look:
    texel = tuple(c / 255 for c in PICTURES[picture])
    cut = texel[3] < 1
    return Look(texel=texel if cut else texel[:3], alpha="mask" if cut else "opaque")


BREAKS = (
    "count", "negative", "giant", "type", "index", "nan", "picture", "truncate", "flip", "delete", "insert", "format",
)  # fmt: skip
TOLD = {"negative", "giant", "type", "format", "count"}  # must be refused


def broken_ply(seed: int) -> tuple[Random, str]:
    """A file of random features with one thing broken, and which."""
    g = np.random.default_rng([seed, 3])
    random = random_ply(seed)
    what = str(g.choice(BREAKS))
    content = random.files["a.ply"]
    V = f"element vertex {sum(1 for p in random.polygons for _ in p.corners)}".encode()
    swaps = {
        "count": (V, V + b"1"), "negative": (V, b"element vertex -4"), "giant": (V, V + b"0" * 9),
        "type": (b" x", b" x\nproperty float8 q"), "format": (b"1.0", b"2.0"),
    }  # fmt: skip
    if what in swaps:
        content = content.replace(*swaps[what], 1)
    elif what == "picture":
        for name in PICTURES:
            random.files.pop(name, None)
    elif what in ("index", "nan"):
        content = content[: len(content) // 2] + b"\xff" * 8 + content[len(content) // 2 + 8 :]
    else:
        content = damaged(g, content, what)
    random.files["a.ply"] = content
    return random, what
