"""glrast/mesh/files/gltf/meshopt*.py against streams that meshoptimizer packed, and against the wheel where it is."""

import numpy as np
import pytest

from glrast.mesh.files.gltf.meshopt import unpack
from glrast.mesh.files.gltf.tree import Broken, Tree

# 20 rows: 3 i, i^2 mod 50, 7, -2 i
ROWS = np.stack([[3 * i, i * i % 50, 7, -2 * i] for i in range(20)]).astype("<i2")
VERSION_0 = (
    "a00a0666666666666666666600000000000000070002060a0e12161a45223d2a2e313629ff00000025421d190000000a0333"
    "3333333333333333000000000000011000000000000000000000000000000000000000000000000000000000000000070000"
    "00"
)
VERSION_1 = (
    "a1b99a0206666666666666660f00060606060002060a0e12161a45223d2a2e31362925421d190203333333333333330f0003"
    "030303000000000000000000000000000000000000070000000001"
)
# 0.1 i + 1, 0.1 i + 2: channels of bits that differ
FLOATS = (
    "a1bf9f0065656765656565676565ccceccceccccceccce0066666666666666666666cccccccccccccccccc00181a1a1a1a18"
    "1a1a1a1a0c0c0e0c0e0c0c0e0c00ccceccceccccceccceccccceccceccccceccce00cccccecccecccccecccecccccecccecc"
    "cccecc020ccececcececcece0f000c0c0e0c00000000000000000000000000000000803f000000400100"
)
INDEX = [0, 1, 2, 2, 1, 3, 3, 1, 4, 9, 8, 7, 0, 2, 200, 2, 3, 5, 100, 101, 102, 4, 1, 0]
TRIANGLES = "e1f01010ff7f70ffbcff1201018203ffc7010202007687566778a9866589689801690000"
SEQUENCE = "d100040400020800060c1402021a08a1060004088f030505020a0200000000"


def unpacked(stream, count, stride, mode="ATTRIBUTES", kind="<i2", **more):
    row = {"count": count, "byteStride": stride, "mode": mode} | more
    content = bytes.fromhex(stream) if isinstance(stream, str) else stream
    return np.frombuffer(unpack(memoryview(content), Tree(row, "view")), kind)


def test_attributes_of_both_versions_come_back():
    for stream in (VERSION_0, VERSION_1):
        assert np.array_equal(unpacked(stream, 20, 8).reshape(20, 4), ROWS)
    floats = (np.arange(20)[:, None] * 0.1 + [1, 2]).astype("<f4")
    assert np.array_equal(unpacked(FLOATS, 20, 8, kind="<f4").reshape(20, 2), floats)


def test_triangles_and_sequences_of_indices_come_back_in_two_or_four_bytes():
    for stride, kind in ((2, "<u2"), (4, "<u4")):
        assert unpacked(TRIANGLES, 24, stride, "TRIANGLES", kind).tolist() == INDEX
        assert unpacked(SEQUENCE, 24, stride, "INDICES", kind).tolist() == INDEX


def test_filters_are_within_one_unit_of_what_was_packed():
    unit = np.array([[0, 0, 1, 0], [0, 0.6, -0.8, 1], [1, 0, 0, 0], [-0.36, 0.48, -0.8, 0]])
    turn = np.array([[0, 0, 0, 1], [0.5, 0.5, -0.5, 0.5], [0, 0.6, 0.8, 0]])
    for stream, stride, kind, name, expected, within in (
        (
            "a1ef00926c4e00fefdc600fefd000000000000000000000000000000000000000000007f0000",
            4, "i1", "OCTAHEDRAL", unit, 0.02,
        ),
        (
            "a1fffa00dbdab2000806190001027c000e0d0c0001020000fefd00000000000000000000000000000000000000ff0700000000",
            8, "<i2", "OCTAHEDRAL", unit, 0.001,
        ),
        (
            "a1ffbf00b1b2000a0900b2b1000b0c00b144000a020005040000000000000000000000000000000000000000ff070000",
            8, "<i2", "QUATERNION", turn, 0.001,
        ),
    ):  # fmt: skip
        found = unpacked(stream, len(expected), stride, kind=kind, filter=name).reshape(-1, 4)
        assert np.allclose(found / np.iinfo(kind).max, expected, atol=within)
    stream = "a1ffef000b000900010012005f000a00120000000000000000000000000000000400f6000200f60000"
    assert unpacked(stream, 2, 8, kind="<f4", filter="EXPONENTIAL").tolist() == [1, 0.5, -3, 1000]
    stream = "a1ff004c009c007e003100000000000000000000000000000000000000407fc1ff00"
    found = unpacked(stream, 2, 4, kind="u1", filter="COLOR").tolist()
    assert np.allclose(found, [254, 1, 0, 255, 51, 102, 153, 204], atol=1)


@pytest.mark.parametrize("stream, count, stride, mode", [
    (VERSION_0, 20, 8, "ATTRIBUTES"), (VERSION_1, 20, 8, "ATTRIBUTES"), (FLOATS, 20, 8, "ATTRIBUTES"),
    (TRIANGLES, 24, 4, "TRIANGLES"), (SEQUENCE, 24, 4, "INDICES"),
])  # fmt: skip
def test_damaged_streams_are_named_and_reserve_no_memory(stream, count, stride, mode):
    rng = np.random.default_rng(0)
    good = np.frombuffer(bytes.fromhex(stream), np.uint8)
    named = 0
    for _ in range(150):
        data = good.copy()
        data[rng.integers(len(data), size=3)] ^= (1 << rng.integers(0, 8, 3)).astype(np.uint8)
        size = rng.integers(1, len(data)) if rng.random() < 0.3 else len(data)
        counts = count if rng.random() < 0.7 else int(rng.integers(1, 10**9)) // 3 * 3
        try:
            unpacked(data[:size].tobytes(), counts, stride, mode)
        except Broken:
            named += 1
    assert named > 60
    for row in ({"mode": "X"}, {"mode": mode, "filter": "X"}, {"mode": mode, "byteStride": 5}):
        with pytest.raises(Broken):
            unpack(
                memoryview(bytes(good)), Tree({"count": count, "byteStride": stride} | row, "view")
            )


@pytest.mark.slow
def test_streams_of_meshoptimizer_itself_come_back():
    meshopt = pytest.importorskip("meshopt", reason="packs the streams")
    rng = np.random.default_rng(0)
    for trial in range(20):
        stride, count = 4 * int(rng.integers(1, 65)), int(rng.integers(1, 700))
        walk = np.cumsum(rng.integers(-9, 10, (count, stride // 4)), 0)
        rows = [walk.astype("<i4"), walk.astype("<f4") / 7, rng.random(walk.shape).astype("<f4")]
        values = rows[trial % 3].view(np.uint8).reshape(count, stride)
        for version, level in ((0, 2), (1, 0), (1, 3)):
            stream = meshopt.encode_vertex_buffer_level(values, level, version)
            found = unpacked(stream, count, stride, kind="u1")
            assert np.array_equal(found, values.reshape(-1))
        index = rng.integers(0, rng.integers(4, 70_000), 3 * count).astype("u4")
        stream = meshopt.encode_index_buffer(index)
        expected = np.asarray(meshopt.decode_index_buffer(stream, len(index), 4)).reshape(-1)
        assert np.array_equal(unpacked(stream, len(index), 4, "TRIANGLES", "<u4"), expected)
        stream = meshopt.encode_index_sequence(index)
        assert np.array_equal(unpacked(stream, len(index), 4, "INDICES", "<u4"), index)
