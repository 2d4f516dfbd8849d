"""The executor itself: small kernels whose answer is known (answers.cu), in every order and schedule."""

import platform

import pytest
import torch

from tests.executor import compile_kernels
from tests.executor.compile_kernels import ORDERS, SCHEDULES, Settings
from tests.executor.small_kernels import run

pytestmark = [
    pytest.mark.slow,  # a C++ compiler runs for two seconds
    pytest.mark.skipif(not compile_kernels.COMPILER, reason="no C++ compiler here"),
]

THREADS = torch.arange(256, dtype=torch.int32)
LANES = THREADS % 32
ONE = torch.ones_like(LANES)


def signed(mask: int) -> int:
    return mask - (1 << 32) if mask >> 31 else mask


def of_lanes(condition) -> torch.Tensor:
    """The mask of the lanes for which this holds, in every thread."""
    return ONE * signed(sum(1 << lane for lane in range(32) if condition(lane)))


# What each thread writes to `out`, whatever the order and the schedule: (n, expected).
ANSWERS = {
    "vote": (0, of_lanes(lambda lane: lane % 3 == 0)),
    "any_and_all": (31, 2 * ONE),
    "sum_down": (0, 496 * ONE),
    "prefix_up": (0, LANES * (LANES + 1) // 2),
    "sum_of_eight_by_xor": (0, (LANES // 8 * 64) + 28),
    "beyond_the_group_is_ones_own": (0, torch.where(LANES % 8 < 2, LANES + 6, LANES)),
    "match": (
        0,
        torch.stack([of_lanes(lambda m, k=k: m % 5 == k)[0] for k in range(5)])[LANES % 5],
    ),
    "match_all": (1, -ONE),
    "reduce": (0, 49600 * ONE - 40),
    "halves": (0, torch.where(LANES < 16, 16 * ONE, of_lanes(lambda m: m >= 16 and m % 2))),
    "shrinking_loop": (0, LANES),
    "turned_in_the_block": (0, THREADS // 128 * 128 + 127 - THREADS % 128),
    "turned_in_the_warp": (0, 31 - LANES),
    "shared_memory_of_a_new_block": (0, 0x7FA00001 * ONE),
    "count_of_the_block": (0, 12 * ONE),
    "barrier_after_some_have_returned": (0, (THREADS % 128 < 96).int()),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", ANSWERS)
def test_the_answer_does_not_depend_on_order_or_schedule(kernel, order, schedule):
    n, expected = ANSWERS[kernel]
    found = run("answers", kernel, Settings(order=order, schedule=schedule, seed=5), n)
    assert torch.equal(found.out, expected)


def test_lanes_that_do_not_all_agree_do_not_match():
    assert torch.equal(run("answers", "match_all", Settings()).out, -9 * ONE)


@pytest.mark.parametrize("order", ORDERS)
def test_atomics_lose_nothing(order):
    settings = Settings(order=order)
    assert run("answers", "atomics", settings).out[:6].tolist() == [256, 255, -255, -1, 77, -3]
    values = run("answers", "vector_atomics", settings).values
    assert values.tolist() == [256.0, 512.0, 768.0, 8 * 496.0, 128.0, 64.0, 0.0, 0.0]


@pytest.mark.parametrize("order", ORDERS)
def test_who_spins_on_a_lock_lets_its_owner_go_on(order):
    assert run("answers", "lock", Settings(order=order)).out[:2].tolist() == [0, 256]


def test_vector_atomics_are_those_of_sm_90_and_later():
    kernels = Settings(architecture=750)
    with pytest.raises(AssertionError, match="vector_atomics is none of"):
        run("answers", "vector_atomics", kernels)


# ---- order and schedule ----------------------------------------------------------------------------------


def test_first_to_last_and_last_to_first_are_what_they_say():
    assert torch.equal(run("answers", "turn_taken", Settings()).out, THREADS)
    assert torch.equal(run("answers", "turn_taken", Settings(order="last")).out, 255 - THREADS)


def test_a_random_order_follows_from_its_seed_and_mixes_lanes_warps_and_blocks():
    one, again, other = (
        run("answers", "turn_taken", Settings(order="random", seed=seed), blocks=8).out
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(one.sort().values, torch.arange(1024, dtype=torch.int32))
    blocks = one.reshape(8, 128)
    assert not torch.equal(blocks[:, 0].argsort(), torch.arange(8))
    warps = blocks.reshape(8, 4, 32)
    between = (warps.amax(2) - warps.amin(2)) > 32  # others came in between
    assert between.any() and (warps.diff(dim=2) < 0).any()


def test_together_all_that_are_there_meet():
    expected = torch.where(LANES < 5, 0, of_lanes(lambda lane: lane >= 5))
    assert torch.equal(run("answers", "who_meets", Settings(), 5).out, expected)


def test_apart_nobody_meets():
    expected = torch.where(LANES < 5, 0, torch.tensor([signed(1 << lane) for lane in LANES]))
    assert torch.equal(
        run("answers", "who_meets", Settings(schedule="apart"), 5).out, expected.int()
    )


def test_scattered_some_meet_and_each_is_named_by_those_it_meets():
    found = run("answers", "who_meets", Settings(schedule="scattered", seed=3), 5).out
    warps = [[mask % (1 << 32) for mask in warp] for warp in found.reshape(8, 32).tolist()]
    for warp in warps:
        for lane in range(5, 32):
            members = [other for other in range(32) if warp[lane] >> other & 1]
            assert lane in members and all(warp[other] == warp[lane] for other in members)
    assert len({warp[31] for warp in warps}) > 2


def test_a_block_may_end_within_a_warp():
    found = run("answers", "who_meets", Settings(), block=(20, 1, 1), blocks=1).out
    assert found[:20].tolist() == [(1 << 20) - 1] * 20


# ---- arithmetic ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not compile_kernels.has_fused(), reason="this processor has no fused multiply")
def test_fused_multiplication_is_a_setting():
    v = 1 + 2.0**-12
    for fused, expected in ((False, 0.0), (True, 2.0**-24)):
        found = run("answers", "fused", Settings(fused=fused), values=[v, 9.0, 1 + 2.0**-11])
        assert found.values[1].item() == expected


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="no flush to zero is known here"
)
def test_flushing_denormals_is_a_setting_and_is_undone():
    least = 2.0**-126
    for flush, expected in ((False, [least / 2, 2.0**-103]), (True, [0.0, 0.0])):
        found = run(
            "answers", "denormals", Settings(flush=flush), values=[least, 9.0, 9.0, least / 2]
        )
        assert found.values[1:3].tolist() == expected
    assert (torch.tensor(least) / 2).item() == least / 2


def test_numbers_are_converted_as_the_hardware_does():
    found = run("answers", "converted", Settings(), values=[-2.5])
    assert found.out[:6].tolist() == [-3, -2, 2**31 - 1, 0, 5231, 3]


# ---- fibres ----------------------------------------------------------------------------------------------


def test_fibres_by_ucontext_give_the_same():
    for kernel, (n, expected) in ANSWERS.items():
        assert torch.equal(run("answers", kernel, Settings(portable=True), n).out, expected)
