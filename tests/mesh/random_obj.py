"""Obj files of random features, with what they mean worked out from the numbers that were drawn, not by a reader."""

from __future__ import annotations

import numpy as np

from tests.mesh.drawn_mesh import PICTURES, Look, Polygon, Random, damaged, pngs, star

MATERIAL_NAMES = ("red", "dark blue", "no#1", "Häuser", "x.y-z", "a # b")


def random_obj(seed: int) -> Random:
    """The file of this number."""
    return _Writer(np.random.default_rng(seed)).made()


def linear(x: float) -> float:
    """Of sRGB."""
    return x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4


class _Writer:
    def __init__(self, g: np.random.Generator) -> None:
        self.g = g
        self.out: list[str] = []
        self.counts = {"v": 0, "vt": 0, "vn": 0}
        self.random = Random()
        self.looks: dict[str, Look] = {}
        self.look = Look()
        self.far = g.random() < 0.2
        self.byte_colors = g.random() < 0.3
        self.blank = str(g.choice([" ", "\t", "  ", " \t ", "\f "]))
        self.negative = g.random() < 0.4

    def chance(self, p: float) -> bool:
        return bool(self.g.random() < p)

    def made(self) -> Random:
        g = self.g
        self.random.files.update(pngs())
        self.libraries()
        for k in range(int(g.integers(1, 4))):
            if self.chance(0.5):
                self.line("o", f"thing {k}")
            for _ in range(int(g.integers(1, 4))):
                if self.looks and self.chance(0.6):
                    name = str(g.choice(list(self.looks)))
                    self.look = self.looks[name]
                    self.line("usemtl", name)
                self.polygon()
            if self.chance(0.2):
                self.line(
                    *[
                        str(w)
                        for w in g.choice(
                            [["l", "1 2"], ["p", "1"], ["s", "off"], ["vp", "0 1"], ["g", "a b"]]
                        )
                    ]
                )
        self.random.files["a.obj"] = self.encoded("\n".join(self.out) + "\n" * self.chance(0.8))
        return self.random

    def libraries(self) -> None:
        names = [str(n) for n in self.g.permutation(MATERIAL_NAMES)]
        files = ["a.mtl", "my lib.mtl", "sub/c.mtl"][: int(self.g.integers(0, 4))]
        for i, file in enumerate(files):
            text = ["# materials"]
            for name in names[2 * i : 2 * i + 2]:
                text += [f"newmtl {name}"] + self.material(name, "../" * file.count("/"))
            self.random.files[file] = self.encoded("\n".join(text) + "\n")
        if files and self.chance(0.5):
            self.line("mtllib", " ".join(files), plain=True)
        else:
            for file in files:
                self.line("mtllib", file, plain=True)

    def material(self, name: str, up: str) -> list[str]:
        g, look, text = self.g, Look(), []
        rgb = (1.0, 1.0, 1.0)
        if self.chance(0.7):
            rgb = tuple(np.round(g.uniform(0.1, 1, 3), 3).tolist())
            text.append(f"\tKd {rgb[0]} {rgb[1]} {rgb[2]}")
        d = 1.0
        if self.chance(0.3):
            d = round(float(g.uniform(0.1, 0.9)), 3)
            text.append(f"d {d}" if self.chance(0.5) else f"Tr {1 - d:.3f}")
        if self.chance(0.6):
            picture = str(g.choice(list(PICTURES)))
            options, gain = [], 1.0
            if self.chance(0.3):
                look.scale = tuple(np.round(g.uniform(0.5, 3, 2), 2).tolist())
                options.append(f"-s {look.scale[0]} {look.scale[1]} 1")
            if self.chance(0.3):
                look.offset = tuple(np.round(g.uniform(-1, 1, 2), 2).tolist())
                options.append(f"-o {look.offset[0]} {look.offset[1]}")
            if self.chance(0.3):
                look.clamp = True
                options.append("-clamp on")
            if self.chance(0.2):
                gain = 0.5
                options.append("-mm 0 0.5")
            if self.chance(0.2):
                options.append(
                    str(g.choice(["-blendu off", "-texres 64", "-bm 1", "-cc off", "-t 0 0 0"]))
                )
            spelled = (up + picture).replace("/", "\\") if self.chance(0.3) else up + picture
            text.append(" ".join(["map_Kd", *options, spelled]))
            texel = tuple(c / 255 for c in PICTURES[picture])
            look.texel = tuple(c * gain for c in texel[:3]) + (texel[3:] if texel[3] < 1 else ())
            look.alpha = "mask" if texel[3] < 1 else "opaque"
        if d < 1:
            look.alpha = "blend"
        look.factor = (*(linear(c) for c in rgb), d)
        self.looks[name] = look
        return [*text, "Ks 0 0 0", "illum 2"]

    def polygon(self) -> None:
        g = self.g
        n = int(g.choice([3, 3, 4, 5, 8]))
        frame = np.linalg.qr(g.standard_normal((3, 3)))[0]
        pos = star(g, n) @ frame[:2] + g.uniform(-3, 3, 3)
        pos = np.round(pos, 4) + ([431000.0, 5412000.0, 300.0] if self.far else [0, 0, 0])
        colors = np.ones((n, 3))
        colored = self.chance(0.3)
        if colored:
            levels = g.integers(0, 256, (n, 3))
            colors = levels / 255
        for i, p in enumerate(pos):
            words = [self.number(x) for x in p]
            if colored:
                words += [str(c) if self.byte_colors else repr(c / 255) for c in levels[i].tolist()]
            elif self.chance(0.1):
                words.append("1.0")
            self.line("v", *words)
        uv, vt, vn = np.zeros((n, 2)), None, None
        if self.chance(0.6):
            uv = np.round(g.uniform(-1, 2, (n, 2)), 3)
            short = self.chance(0.1)
            uv[:, 1] *= not short
            for u, v in uv:
                words = [self.number(u)] if short else [self.number(u), self.number(v)]
                self.line("vt", *words, *["0"] * (not short and self.chance(0.2)))
            vt = self.rows("vt", n)
        if self.chance(0.3):
            self.line("vn", "0", "0", "1")
            vn = self.rows("vn", 1) * n
        index = [self.rows("v", n), vt, vn]
        self.line("f", *[self.corner([x and x[k] for x in index]) for k in range(n)])
        look = self.look
        if vt is None:
            alpha = "blend" if look.factor[3] < 1 else "opaque"
            look = Look(look.factor, alpha=alpha)
        else:
            uv = uv * look.scale + look.offset
        self.random.polygons.append(Polygon(np.concatenate([pos, uv, colors], 1), look))

    def rows(self, key: str, n: int) -> list[int]:
        """The numbers of the latest n rows, from 1."""
        return list(range(self.counts[key] - n + 1, self.counts[key] + 1))

    def corner(self, index: list[int | None]) -> str:
        words = []
        negative = self.negative and self.chance(0.7)
        for key, i in zip(("v", "vt", "vn"), index, strict=True):
            words.append("" if not i else str(i - self.counts[key] - 1 if negative else i))
        return "/".join(words).rstrip("/")

    def number(self, x: float) -> str:
        pattern = str(
            self.g.choice(["{:.4f}", "{:+.4f}", "{:.6e}" if not self.far else "{:.12e}", "{!r}"])
        )
        return pattern.format(float(x))

    def line(self, key: str, *words: str, plain: bool = False) -> None:
        if key in self.counts:
            self.counts[key] += 1
        blank = " " if plain else self.blank
        text = key + blank + blank.join(words)
        if key in ("v", "vt", "f") and self.chance(0.05):
            cut = text.rindex(blank)
            text = text[:cut] + " \\\n " + text[cut:]
        if key in ("v", "vt", "vn", "f") and self.chance(0.1):
            text += " # note 1 2 3"
        if self.chance(0.1):
            text = "  " + text
        if self.chance(0.1):
            text += " \t"
        if self.chance(0.05):
            self.out.append(str(self.g.choice(["", "# v 9 9 9", "#", "   ", "# c:\\temp\\"])))
        self.out.append(text)

    def encoded(self, text: str) -> bytes:
        text = text.replace("\n", str(self.g.choice(["\n", "\n", "\r\n", "\r"])))
        coding = str(self.g.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"]))
        return text.encode(coding)


BREAKS = (
    "index", "nan", "word", "two corners", "huge", "short",
    "picture", "pixels", "library", "kd", "truncate", "flip", "delete", "insert",
)  # fmt: skip
TOLD = {"index", "nan", "word", "two corners", "huge", "short"}  # must be refused


def broken_obj(seed: int) -> tuple[Random, str]:
    """A file of random features with one thing broken, and which."""
    g = np.random.default_rng([seed, 1])
    random = random_obj(seed)
    what = str(g.choice(BREAKS))
    content = random.files["a.obj"]
    coding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    lines = {
        "index": "f 1 2 99999", "nan": "v nan 0 0", "word": "v 1 2 three", "two corners": "f 1 2",
        "huge": "v 1e400 0 0", "short": "vn 1 2",
    }  # fmt: skip
    if what in lines:
        text = content.decode(coding)
        end = "\r\n" if "\r\n" in text else "\r" if "\r" in text else "\n"
        random.files["a.obj"] = (text.rstrip("\r\n\\") + end + lines[what] + end).encode(coding)
    elif what == "picture":
        for name in PICTURES:
            random.files.pop(name)
    elif what in ("library", "pixels"):
        ending = ".mtl" if what == "library" else ".png"
        how = ["truncate", "flip", "delete", "insert"]
        for name, file in random.files.items():
            if name.endswith(ending):
                random.files[name] = damaged(g, file, str(g.choice(how)))
    elif what == "kd":
        for name, library in random.files.items():
            if name.endswith(".mtl"):
                random.files[name] = library.replace(b"Kd 0", b"Kd x")
    else:
        random.files["a.obj"] = damaged(g, content, what)
    return random, what
