"""The contract, section 1: contexts."""

import threading

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import on
from tests.scenes import ODD


def test_device_is_a_torch_device_a_name_an_int_or_none(device):
    index = 0 if device.index is None else device.index
    for given in (device, str(device), *([index] if device.type == "cuda" else [])):
        assert glrast.Context(given).device == device
    assert glrast.Context().device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_opengl_context_is_cached_per_process_and_device(device):
    assert len({glrast.Context(device).handle for _ in range(5)}) == 1


def test_it_is_made_current_and_released_inside_every_call(context, gl):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    glrast.rasterize(context, pos, tri, ODD)
    done = []

    def elsewhere():  # a context that was still current here could not be made current there
        done.append(glrast.rasterize(context, pos, tri, ODD)[0])

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(30)
    assert torch.equal(done[0], glrast.rasterize(context, pos, tri, ODD)[0])


def test_autograd_may_run_backward_in_a_thread_of_its_own(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    loss = glrast.rasterize(context, pos.requires_grad_(), tri, ODD)[0][..., 0].sum()
    thread = threading.Thread(target=loss.backward)
    thread.start()
    thread.join(30)
    assert pos.grad.any()


def test_clients_make_one_context_per_frame(device, gl):
    pos, tri, _ = (t.to(device) for t in scenes.one_triangle(1))
    frames = [glrast.rasterize(glrast.Context(device), pos, tri, ODD)[0] for _ in range(5)]
    assert all(torch.equal(frame, frames[0]) for frame in frames)


def test_rasterize_gl_context_and_rasterize_cuda_context_are_classes(device):
    first = glrast.RasterizeGLContext(output_db=True, mode="automatic", device=device)
    second = glrast.RasterizeCudaContext(device=device)
    assert isinstance(first, glrast.RasterizeGLContext) and isinstance(
        second, glrast.RasterizeCudaContext
    )
    with pytest.raises(ValueError, match="mode must be 'automatic' or 'manual'; got 'other'"):
        glrast.RasterizeGLContext(mode="other", device=device)


def test_drawing_works_before_between_and_after_set_context_and_release_context(device, gl):
    context = glrast.RasterizeGLContext(mode="manual", device=device)
    pos, tri, _ = on(context, scenes.one_triangle(1))
    images = [glrast.rasterize(context, pos, tri, ODD)[0]]
    for call in (context.set_context, context.release_context):
        call()
        images.append(glrast.rasterize(context, pos, tri, ODD)[0])
    assert images[0].any() and all(torch.equal(image, images[0]) for image in images)


def test_a_closed_context_draws_the_same_again(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    wanted, _ = glrast.rasterize(context, pos, tri, ODD)
    context.close()
    assert torch.equal(glrast.rasterize(context, pos, tri, ODD)[0], wanted)
