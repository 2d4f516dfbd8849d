"""A launch's second argument: quotients without a division are exact, and so are the pixels that they lead to."""

import numpy as np
import pytest
import torch

import glrast
from glrast.launch import cuda, source
from tests import scenes
from tests.executor import compile_kernels
from tests.ops.compare import on, random

LAST = 2**31 - 1


def quotients(numbers: np.ndarray, divisor: int) -> np.ndarray:
    """As kernels/device.cuh multiplies."""
    by, shift = cuda.reciprocal(divisor)
    assert 0 < by < 2**32 and shift < 64
    return numbers.astype(np.uint64) * np.uint64(by) >> np.uint64(shift)


def divisors():
    near = [2**k + d for k in range(32) for d in (-2, -1, 0, 1, 2)]
    others = np.random.default_rng(0).integers(1, LAST, 400).tolist()
    return sorted({d for d in [*range(1, 600), *near, *others] if 1 <= d <= LAST})


def test_a_quotient_is_exact_around_every_multiple_at_the_limits():
    """Quotients change at multiples alone: the first, the last and some between, each from one below to one above."""
    for d in divisors():
        most = LAST // d
        k = np.unique(
            np.r_[0:40, max(0, most - 40) : most + 1, np.linspace(0, most, 97, dtype=np.int64)]
        )
        k = k[k <= most]
        numbers = np.unique(np.r_[k * d - 1, k * d, k * d + 1, LAST])
        numbers = numbers[(numbers >= 0) & (numbers <= LAST)]
        assert (quotients(numbers, d) == numbers // d).all(), d


def test_a_quotient_is_exact_for_every_number_below_2_16_and_the_last_2_16():
    numbers = np.r_[0 : 2**16, LAST - 2**16 : LAST + 1]
    for d in (1, 2, 3, 5, 7, 33, 100, 641, 1023, 1024, 1025, 32767, 65535, 65536, LAST - 1, LAST):
        assert (quotients(numbers, d) == numbers // d).all(), d


def test_one_less_would_not_do(monkeypatch):
    by, shift = cuda.reciprocal(7)
    monkeypatch.setattr(cuda, "reciprocal", lambda d: (by - 1, shift))
    assert quotients(np.array([7]), 7)[0] == 0


def test_rows_beyond_an_int_are_refused():
    given = dict(width=1, H=1, rows=2**31)
    with pytest.raises(
        ValueError, match=r"transform_points .*2147483648 rows are beyond what kernels"
    ):
        cuda.run("transform", "transform_points", given, torch.device("cpu"))


def test_what_is_read_by_sixteen_bytes_is_known_by_its_declaration():
    rows = source.kernels("interpolate")["interpolate_backward"].rows
    assert set(rows) == {"attr", "rast", "rast_db", "grad_out", "grad_out_da"}


@pytest.mark.slow
@pytest.mark.skipif(not compile_kernels.COMPILER, reason="no C++ compiler here")
@pytest.mark.parametrize("offset", [1, 2, 3])
def test_views_that_begin_anywhere_are_read_right(context, emulate, offset):
    """A GPU would stop at an address that is no multiple of sixteen."""
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=2))

    def shifted(tensor):
        return torch.cat([tensor.new_zeros(offset), tensor.flatten()])[offset:].view(tensor.shape)

    def gradients(move):
        place = move(pos).requires_grad_()
        rast, rast_db = glrast.rasterize(context, place, tri, (9, 40))
        attr = move(random(pos.shape[1], 3)).requires_grad_()
        out, out_da = glrast.interpolate(attr, move(rast), tri, move(rast_db), "all")
        image = glrast.antialias(out, move(rast), place, tri)
        total = (image * random(*image.shape)).sum() + (move(out_da) * random(*out_da.shape)).sum()
        return torch.autograd.grad(total, (place, attr))

    assert shifted(pos).data_ptr() % 16
    with emulate():
        wanted, found = gradients(lambda t: t.clone()), gradients(shifted)
    for f, w in zip(found, wanted):
        assert torch.equal(f, w) and w.any()
