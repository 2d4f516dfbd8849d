"""The executor itself: small kernels with one mistake each (mistakes.cu), and by what words each is found."""

import pytest
import torch

from tests.executor import compile_kernels
from tests.executor.compile_kernels import ORDERS, SCHEDULES, Settings
from tests.executor.fake_cupy import ExecutorError
from tests.executor.small_kernels import run

pytestmark = [
    pytest.mark.slow,  # a C++ compiler runs for two seconds
    pytest.mark.skipif(not compile_kernels.COMPILER, reason="no C++ compiler here"),
]

# Found in every order, by kernel, line and mask.
EXCHANGES = {
    "mask_without_oneself": r"cu:8: __ballot_sync: lane 0 calls with mask 0xfffffffe, which does not name it",
    "mask_with_a_lane_that_has_returned": "cu:12: __shfl_sync: mask .* of lane .* names lane 3, which has returned",
    "mask_with_a_lane_that_returns_later": "cu:17: __match_any_sync: .* names lane 30, which has returned",
    "reads_a_lane_outside_the_mask": "cu:23: __shfl_down_sync: .* reads from .*, which mask 0x55555555 does not",
    "two_lines": r"no thread can go on:\s+lanes 0x0000ffff of warp 0 wait at .*cu:27: __shfl_sync with mask 0xffffffff"
    r"\s+lanes 0xffff0000 of warp 0 wait at .*cu:28: __shfl_sync with mask 0xffffffff",
    "two_words": r"lanes 0xffff0000 of warp 0 wait at .*cu:31: __any_sync with mask 0xffffffff",
    "two_masks": r"cu:33: __ballot_sync: mask 0xffffffff of lane \d+ names lane \d+, which has returned",
    "barrier_in_a_branch": r"warp 0 wait at .*cu:44: __syncthreads\s+lanes 0xffffffff of warp 1 .*cu:46: __syncthreads",
    "barrier_against_exchange": r"no thread can go on:\s+lanes 0x00000001 of warp 0 wait at .*cu:51: __syncthreads"
    r"\s+lanes 0xfffffffe of warp 0 wait at .*cu:52: __syncwarp with mask 0xffffffff",
    "mask_of_before_the_branch": r"cu:38: __shfl_sync",
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kernel", EXCHANGES)
def test_a_wrong_exchange_is_named_by_kernel_line_and_mask(kernel, order):
    for schedule in SCHEDULES:
        with pytest.raises(ExecutorError, match=rf"(?s)^{kernel}, .*{EXCHANGES[kernel]}"):
            run("mistakes", kernel, Settings(order=order, schedule=schedule))


def test_after_a_mistake_the_next_launch_is_well():
    with pytest.raises(ExecutorError):
        run("mistakes", "two_lines", Settings())
    assert (run("mistakes", "all_are_expected_to_meet", Settings()).out == 32).all()


def test_a_lock_that_nobody_opens_is_found():
    with pytest.raises(ExecutorError, match="goes round an atomic and nobody lets it go on"):
        run("mistakes", "lock_that_nobody_opens", Settings())


@pytest.mark.parametrize("schedule", ["apart", "scattered"])
def test_who_counts_on_meeting_all_others_is_found(schedule):
    assert (run("mistakes", "all_are_expected_to_meet", Settings()).out == 32).all()
    with pytest.raises(ExecutorError, match="cu:60: __shfl_xor_sync: lane .* does not name"):
        run("mistakes", "all_are_expected_to_meet", Settings(schedule=schedule))


@pytest.mark.parametrize("schedule", ["apart", "scattered"])
def test_a_wrong_leader_gives_another_sum(schedule):
    sums = [
        run("mistakes", "leader_is_expected_to_be_lane_0", Settings(schedule=s)).out[0]
        for s in ("together", schedule)
    ]
    assert sums[0] == 256 and sums[1] < 256


# ---- shared memory, races, bounds ------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["no_barrier_before_reading", "no_barrier_before_writing_again"])
def test_a_missing_barrier_shows_in_the_order_of_lanes(kernel):
    found = [run("mistakes", kernel, Settings(order=order)).out for order in ORDERS]
    assert not torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


# What the watch says.
WATCHED = {
    "no_barrier_before_reading": "reads byte .* of shared memory .*which nobody wrote",
    "no_barrier_before_writing_again": "race on byte .* of shared memory: .* writes it .* read it",
    "shuffle_taken_for_a_barrier": "race on byte .* of shared memory: .* reads it .* wrote it",
    "warp_barrier_taken_for_one_of_the_block": "of shared memory .*which nobody wrote",
    "two_write_one_place": "race on byte .* of shared memory: .* writes it .* wrote it",
    "adds_without_an_atomic": r"byte 0 of out: .* reads it \(kernels/mistakes.cu:\d+\), .* lane 0 of .*, wrote it",
    "blocks_that_wait_for_each_other": "byte 4 of out: lane 0 of warp 0, block 1, reads it .* block 0, wrote it",
    "atomic_and_plain": "race on byte 0 of out: .* adds to it .* read it",
    "one_element_too_far": r"lane 31 of warp 3, block 1, writes 4 bytes .*mistakes.cu:\d+\), which no argument holds",
    "before_the_beginning": "lane 0 of warp 0, block 0, reads 4 bytes .*which no argument holds",
    "atomic_too_far": "lane 8 of warp 0, block 0, adds to 4 bytes .*which no argument holds",
    "nobody_wrote_the_shared_memory": "reads byte .* of shared memory .*which nobody wrote",
}  # fmt: skip
HOW_FAR = {"one_element_too_far": 1, "before_the_beginning": -1}


@pytest.mark.parametrize("kernel", WATCHED)
def test_the_watch_finds_it(kernel):
    with pytest.raises(ExecutorError, match=rf"(?s)^{kernel}, .*{WATCHED[kernel]}"):
        run("mistakes", kernel, Settings(sanitizer="watch"), HOW_FAR.get(kernel, 0))


@pytest.mark.parametrize(
    "kernel", ["turned_in_the_block", "turned_in_the_warp", "atomics", "vector_atomics", "lock"]
)
def test_the_watch_finds_nothing_where_all_is_well(kernel):
    for order in ORDERS:
        run("answers", kernel, Settings(sanitizer="watch", order=order))
