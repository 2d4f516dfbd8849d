"""Damage for glTF files: cut, bits turned, numbers and types of the JSON changed, nested without end."""

import copy
import json
import struct

import numpy as np

from tests.mesh.gltf_file import glb

STRANGE = [
    None, True, -1, 0, 1, 2, 3.5, 7, 255, 65535, 3 * 10**8, 2**31, 2**63, 10**400, 1e300, -1e300, 1e-320,
    "", "x", "data:,", "data:;base64,%%%", "../../gone.bin", "http://a/b", "a\0b", "n" * 5000, "/dev/zero",
    [], [[]], [0, 0, 0, 0], [1e308] * 16, {}, {"index": 0}, {"extensions": {}},
]  # fmt: skip


def damaged(path, rng):
    """Damages the file in place; says how."""
    how = rng.choice(["cut", "bits", "tree", "tree", "tree", "tree", "tree", "deep", "word"])
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[: rng.integers(len(content))])
    elif how == "bits":
        data = np.frombuffer(content, np.uint8).copy()
        places = rng.integers(len(data), size=rng.integers(1, 9))
        data[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
        path.write_bytes(data.tobytes())
    else:
        text, binary = parts(content)
        write = (
            _write_glb if content[:4] == b"glTF" else lambda path, text, _: path.write_bytes(text)
        )
        write(path, getattr(Text, how)(text, rng), binary)
    return how


class Text:
    @staticmethod
    def tree(text, rng):
        tree = json.loads(text)
        for _ in range(rng.integers(1, 4)):
            places = list(_places(tree))
            holder, key = places[rng.integers(len(places))]
            if rng.random() < 0.25:
                del holder[key]
            elif isinstance(holder[key], int) and rng.random() < 0.5:
                holder[key] += int(rng.choice([-1, 1, 2, 1000]))
            else:
                holder[key] = copy.deepcopy(STRANGE[rng.integers(len(STRANGE))])
        return json.dumps(tree).encode()

    @staticmethod
    def deep(text, rng):
        key = str(rng.choice(["extras", "nodes", "extensions", "buffers"]))
        opened, closed = ("[", "]") if rng.random() < 0.5 else ('{"a":', "}")
        value = opened * 100_000 + "0" + closed * 100_000
        return b'{"%s":%s,%s' % (key.encode(), value.encode(), text.lstrip()[1:])

    @staticmethod
    def word(text, rng):
        at = int(rng.integers(len(text)))
        word = [b"NaN", b"1" * 5000, b"\xff\xfe", b"}", b'"', b"-Infinity", b"1e999"][
            rng.integers(7)
        ]
        return text[:at] + word + text[at:]


def parts(content):
    """(JSON text, binary chunk) of a whole file."""
    if content[:4] != b"glTF":
        return content, b""
    (length,) = struct.unpack_from("<I", content, 12)
    return content[20 : 20 + length], content[28 + length :]


def _write_glb(path, text, binary):
    path.write_bytes(glb(text, binary))


def _places(value):
    """All (holder, key) of a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)
