"""What the lanes of a warp add to the same places is summed first: the same gradients whoever meets whom, one atomic
for each place where all meet, and in deterministic mode one entry."""

import numpy as np
import pytest
import torch

import glrast
from glrast.launch import cuda, source
from tests.executor import compile_kernels
from tests.executor.fake_cupy import Cupy, Module, Settings
from tests.launch.test_cuda import CASES, ROUNDING
from tests.ops.compare import relative_error

pytestmark = [
    pytest.mark.slow,  # a C++ compiler runs for a second or two per kernel file
    pytest.mark.skipif(not compile_kernels.COMPILER, reason="no C++ compiler here"),
]

# Who goes first, and who meets at a match; before sm_90 rows are added float by float.
MEETINGS = [
    dict(order="last", schedule="together", architecture=750),
    dict(order="first", schedule="apart"),
    dict(order="random", schedule="scattered", seed=3),
]
ADDING = [case for case in CASES if not case.startswith("fragments")]


@pytest.mark.parametrize("meeting", MEETINGS, ids=lambda m: f"{m['order']} {m['schedule']}")
@pytest.mark.parametrize("case", ADDING)
def test_gradients_are_the_cpus_whoever_meets_whom(context, emulate, case, meeting):
    wanted = CASES[case](context)
    with emulate(**meeting):
        found = CASES[case](context)
    for f, w in zip(found, wanted, strict=True):
        assert relative_error(f, w) < ROUNDING


KERNEL = r"""
struct SumArgs { int* keys; float* grad; int* adds; int n; };
extern "C" __global__ void sum_by_key(SumArgs a) {
    const int lane = threadIdx.x;
    if (lane >= a.n || threadIdx.y) return;
    const WarpSharers s = find_sharers(__activemask(), a.keys[lane]);
    float sums[3] = {lane + 1.0f, 1.0f, 2.0f * lane};
    sum_lanes(s, sums);
    if (!s.adds) return;
    atomicAdd(a.adds, 1);
    for (int i = 0; i < 3; ++i) atomicAdd(a.grad + 3 * a.keys[lane] + i, sums[i]);
}
"""


@pytest.mark.parametrize("lanes", [1, 7, 32])
@pytest.mark.parametrize("targets", [1, 2, 5, 32])
@pytest.mark.parametrize("mixed", [False, True], ids=["neighbours", "mixed"])
def test_lanes_with_one_key_are_summed_and_one_of_them_adds(lanes, targets, mixed):
    numbers = torch.arange(32, dtype=torch.int32)
    keys = numbers * 7 % 32 % targets if mixed else numbers * targets // 32
    keys = keys.int().contiguous()
    grad, adds = torch.zeros(targets, 3), torch.zeros(1, dtype=torch.int32)
    settings = Settings()
    module = Module(Cupy(settings), source.text("rasterize") + KERNEL)
    packed = packed_arguments(keys, grad, adds, lanes)
    module.launch(
        "sum_by_key",
        (1, 1, 1),
        (32, 4, 1),
        (packed,),
        dict(keys=keys, grad=grad, adds=adds),
        settings,
    )
    values = torch.stack([numbers + 1.0, torch.ones(32), 2.0 * numbers], 1)[:lanes]
    assert torch.equal(grad, torch.zeros(targets, 3).index_add_(0, keys[:lanes].long(), values))
    assert adds.item() == len(set(keys[:lanes].tolist()))


def packed_arguments(keys, grad, adds, n):
    layout = np.dtype([("keys", "u8"), ("grad", "u8"), ("adds", "u8"), ("n", "i4")], align=True)
    return np.array([(keys.data_ptr(), grad.data_ptr(), adds.data_ptr(), n)], layout)


@pytest.mark.parametrize("wide", [False, True], ids=["int32", "int64"])
def test_in_deterministic_mode_a_warp_leaves_one_entry_for_each_place(
    context, emulate, monkeypatch, wide
):
    kept, reduce = [], cuda._reduce

    def counted(stem, places, values, order, grad, device):
        kept.append(len(places))
        reduce(stem, places, values, order, grad, device)

    monkeypatch.setattr(cuda, "_reduce", counted)
    monkeypatch.setattr(cuda, "_INT32", 0 if wide else 2**31)
    case = CASES["rasterize without derivatives' gradients"]
    rast, _, wanted = case(context)
    torch.use_deterministic_algorithms(True)
    try:
        with emulate():
            found = case(context)[2]
    finally:
        torch.use_deterministic_algorithms(False)
    assert relative_error(found, wanted) < ROUNDING
    ids = glrast.triangle_id(rast).flatten(0, 1)  # rows, each narrower than a warp
    triangles = sum(len(set(row.tolist()) - {0}) for row in ids)
    # corners of different triangles may be one vertex: at most so many entries, and far fewer than pixels have
    assert 0 < sum(kept) <= 9 * triangles < 9 * int((ids > 0).sum())
