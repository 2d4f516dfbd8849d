"""targets: layered render targets that are cleared, read, cached, and refused when they cannot be."""

from dataclasses import replace

import pytest
import torch

from glrast.gl import egl, interop, targets
from glrast.gl.context import DeviceContext
from glrast.gl.host_copy import HostCopy

_OUT_OF_RANGE = 1 << 20


@pytest.fixture
def current(gl):
    with gl.current():
        yield gl


@pytest.mark.parametrize("format", [targets.R32UI, targets.RGBA32F], ids=["id", "full"])
@pytest.mark.parametrize("layers, height, width", [(1, 17, 33), (5, 17, 33), (3, 1, 1), (2, 3, 5)])
def test_a_cleared_target_reads_zeros_everywhere(current, format, layers, height, width):
    target = targets.Target(current, format, height, width, layers)
    shape = (layers, height, width) if format is targets.R32UI else (layers, height, width, 4)
    out = torch.full(shape, 7, dtype=format[3])
    target.clear()
    target.read(out)
    target.release()
    assert not out.any()


@pytest.mark.parametrize(
    "height, width, layers",
    [(17, _OUT_OF_RANGE, 1), (_OUT_OF_RANGE, 33, 1), (17, 33, _OUT_OF_RANGE)],
)
def test_a_target_beyond_the_driver_is_an_error_that_says_its_size_and_leaves_nothing(
    current, monkeypatch, height, width, layers
):
    made, deleted = [], []
    create, delete = current.gl.create, current.gl.delete
    monkeypatch.setattr(current.gl, "create", lambda *a: made.append(create(*a)) or made[-1])
    monkeypatch.setattr(
        current.gl, "delete", lambda f, name: deleted.append(name) or delete(f, name)
    )
    with pytest.raises(
        RuntimeError,
        match=rf"GL_INVALID_VALUE making a render target of {layers} x {height} x {width} ",
    ):
        targets.Target(current, targets.R32UI, height, width, layers)
    current.gl.check("after the refusal")
    assert len(made) == 3 and sorted(deleted) == sorted(made)


def test_an_incomplete_framebuffer_is_named(current):
    target = targets.Target(current, targets.R32UI, 4, 4, 1)
    empty = current.gl.create("glCreateFramebuffers")
    with pytest.raises(
        RuntimeError,
        match="the render target is incomplete .OpenGL status 0x8cd7.; see `glrast doctor`",
    ):
        target._check_complete(empty)
    current.gl.delete("glDeleteFramebuffers", empty)
    target.release()


def test_a_size_that_was_used_is_kept_and_the_oldest_go_first(current, monkeypatch):
    def get(width):
        return targets.target(current, targets.R32UI, 64, width, 1)

    def kept():
        return [k[3] for k in current.objects if k[0] == "target"]

    for key in [k for k in current.objects if k[0] == "target"]:
        current.objects.pop(key).release()
    monkeypatch.setattr(current.limits, "kept_bytes", 3 * get(64).bytes)
    first = get(64)
    get(63), get(62)
    assert get(64) is first and kept() == [63, 62, 64]  # used again: the youngest
    get(61)
    assert kept() == [62, 64, 61]
    large = get(640)  # larger than all that is kept: alone
    assert kept() == [640] and get(640) is large
    assert get(64) is not first


def test_targets_say_how_many_bytes_they_take(current):
    for format, channels in ((targets.R32UI, 1), (targets.RGBA32F, 4)):
        target = targets.Target(current, format, 17, 33, 3)
        assert target.bytes == 3 * 17 * 33 * 4 * (channels + 1)  # colour and depth
        target.release()


def test_the_other_target_of_a_size_is_kept_beside_the_one_that_is_read(current):
    current.close()
    first = targets.target(current, targets.R32UI, 16, 24, 2)
    second = targets.target(current, targets.R32UI, 16, 24, 2, but=first)
    assert second is not first
    assert targets.target(current, targets.R32UI, 16, 24, 2, but=second) is first
    assert targets.target(current, targets.R32UI, 16, 24, 2, but=first) is second
    assert targets.target(current, targets.R32UI, 16, 24, 1, but=first) not in (first, second)
    assert targets.target(current, targets.R32UI, 16, 24, 2) is first


# ---- how much at once ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "free_gb, chunk_mb, images", [(1, 64, 1), (8, 238, 1), (24, 715, 5), (141, 2048, 16)]
)
def test_a_larger_card_takes_more_images_at_once(gl, free_gb, chunk_mb, images):
    limits = replace(gl.limits)
    limits.share(free_gb * 10**9)
    assert limits.chunk_bytes >> 20 == chunk_mb and limits.kept_bytes == 2 * limits.chunk_bytes
    assert limits.images_at_once(4096, 4096, 1) == images
    fits = images * 8 << 24 <= limits.chunk_bytes
    assert limits.keeps_two(4096, 4096, 1, images) == fits


def test_a_context_asks_how_much_of_the_gpu_is_free(gl, device, monkeypatch):
    class Shared(HostCopy):
        def free_bytes(self):
            return 24 * 10**9

    monkeypatch.setattr(interop, "sharing", lambda *_: Shared())
    made = DeviceContext(device, egl.Context(gl.egl.device), handle=-1)
    assert made.limits.chunk_bytes == 750_000_000 and gl.limits.chunk_bytes == 512 << 20
    made.egl.release()
