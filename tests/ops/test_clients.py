"""What users of nvdiffrast do, each habit once: names, contexts per frame, hand-made rast, precision, threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import close, on, random, relative_error
from tests.scenes import ODD

# Attributes rounded to bfloat16 (8 bits) or float16 (11 bits) before a float32 computation.
BFLOAT16, FLOAT16 = 2**-8, 2**-11


def test_names_and_keywords_are_those_that_users_know(device):
    pos, tri, attr = (t.to(device) for t in scenes.one_triangle(1))
    glctx = glrast.RasterizeGLContext(output_db=True, mode="automatic", device=device)
    assert isinstance(glctx, glrast.Context)
    glctx.set_context()
    rast, rast_db = glrast.rasterize(
        glctx, pos=pos, tri=tri, resolution=list(ODD), ranges=None, grad_db=True
    )
    out, out_da = glrast.interpolate(
        attr=attr, rast=rast, tri=tri, rast_db=rast_db, diff_attrs="all"
    )
    topology = glrast.antialias_construct_topology_hash(tri=tri)
    image = glrast.antialias(
        color=out, rast=rast, pos=pos, tri=tri, topology_hash=topology, pos_gradient_boost=1.0
    )
    glctx.release_context()
    assert image.shape == (1, *ODD, 3) and out_da.shape == (1, *ODD, 6)
    same, _ = glrast.rasterize(glrast.RasterizeCudaContext(device), pos, tri, ODD)
    assert torch.equal(rast, same)


@pytest.mark.parametrize(
    "resolution",
    [ODD, list(ODD), torch.Size(ODD), np.array(ODD), np.array(ODD, np.int16), torch.tensor(ODD),
     tuple(np.array(ODD)), (17.0, 33.0)],
)  # fmt: skip
def test_resolution_in_every_form_is_height_and_width(device, resolution):
    pos, tri, _ = (t.to(device) for t in scenes.one_triangle(1))
    rast, _ = glrast.rasterize(glrast.Context(device), pos, tri, resolution)
    assert rast.shape == (1, 17, 33, 4)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64, torch.uint8])
def test_indices_of_any_integer_type_mean_the_same(context, dtype):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    wanted = render(context, pos, tri, attr)
    assert torch.equal(render(context, pos, tri.to(dtype), attr), wanted)


@pytest.mark.slow
def test_a_thousand_contexts_one_per_frame_take_no_more_memory(device, gl):
    pos, tri, attr = (t.to(device) for t in scenes.closed_mesh(1))

    def frames(count):
        for _ in range(count):
            render(glrast.RasterizeGLContext(device=device), pos, tri, attr)

    frames(100)  # everything that is made once
    objects, before = len(gl.objects), resident_bytes()
    frames(1000)
    assert len(gl.objects) == objects
    assert (
        resident_bytes() - before < 8 << 20
    )  # a leak of one 33 x 17 target a frame would be 4.5 MB and more


def test_a_context_made_long_ago_goes_on_after_others_came_and_were_closed(device, gl):
    # clients keep one at module level
    kept = glrast.Context(device)
    mesh = [t.to(device) for t in scenes.closed_mesh(1)]
    wanted = render(kept, *mesh)
    for _ in range(3):
        passing = glrast.RasterizeGLContext(device=device)
        render(passing, *mesh, resolution=(64, 64))
        passing.close()
        del passing
    assert torch.equal(render(kept, *mesh), wanted)


def test_uv_space_baking_covers_the_chart(context):
    # positions are texture coordinates: (2 uv - 1, 0, 1); what is interpolated is the position on the surface
    uv = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], device=context.device)
    chart = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32, device=context.device)
    clip = torch.cat([uv * 2 - 1, torch.zeros_like(uv[:, :1]), torch.ones_like(uv[:, :1])], 1)
    rast, _ = glrast.rasterize(context, clip[None], chart, (16, 16))
    surface = torch.cat([uv * 3, uv[:, :1] - uv[:, 1:]], 1)
    baked, _ = glrast.interpolate(surface[None], rast, chart)
    assert (rast[..., 3] > 0).all()
    centres = (torch.arange(16) + 0.5) / 16
    close(baked[0, ..., 0], 3 * centres.expand(16, 16), 1e-5)
    close(baked[0, ..., 1], 3 * centres[:, None].expand(16, 16), 1e-5)


def test_attributes_without_a_batch_serve_every_image(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1, images=3))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    shared, _ = glrast.interpolate(attr, rast, tri)
    for image in range(3):
        assert torch.equal(
            shared[image], glrast.interpolate(attr, rast[image : image + 1], tri)[0][0]
        )


def test_chunks_of_triangles_merged_by_depth_equal_the_whole(context):
    pos, tri, attr = on(context, scenes.overlapping_polygons())
    pos = pos[None].requires_grad_()
    whole, _ = glrast.rasterize(context, pos, tri, ODD)
    merged, step = None, 4
    for i in range(0, len(tri), step):
        rast, _ = glrast.rasterize(context, pos, tri[i : i + step], ODD)
        rast[..., 3:4] += i * (rast[..., 3:4] > 0)
        if merged is None:
            merged = rast
        nearer = (rast[..., 3:] > 0) & (
            (merged[..., 3:] == 0) | (rast[..., 2:3] < merged[..., 2:3])
        )
        merged = torch.where(nearer, rast, merged)
    assert torch.equal(merged, whole)
    wanted, found = (
        torch.autograd.grad(glrast.interpolate(attr, r, tri)[0].sum(), pos)[0]
        for r in (whole, merged)
    )
    assert relative_error(found, wanted) < 1e-5


def test_a_rast_flipped_vertically_interpolates_to_the_flipped_image(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos.requires_grad_(), tri, ODD)
    upright, _ = glrast.interpolate(attr, rast, tri)
    flipped, _ = glrast.interpolate(attr, rast.flip(1), tri)
    assert torch.equal(flipped, upright.flip(1))
    weight = random(*upright.shape).to(upright)
    (wanted,) = torch.autograd.grad((upright * weight).sum(), pos, retain_graph=True)
    (found,) = torch.autograd.grad((flipped * weight.flip(1)).sum(), pos)
    assert relative_error(found, wanted) < 1e-6


def test_cropped_and_concatenated_rasts_interpolate_like_their_parts(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1, images=2))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    whole, _ = glrast.interpolate(attr, rast, tri)
    crop, _ = glrast.interpolate(attr, rast[:, 3:11, 5:24], tri)
    assert torch.equal(crop, whole[:, 3:11, 5:24])
    side_by_side, _ = glrast.interpolate(attr, torch.cat([rast[:1], rast[1:]], 2), tri)
    assert torch.equal(side_by_side, torch.cat([whole[:1], whole[1:]], 2))


def test_tensors_that_are_not_contiguous_mean_the_same(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1, images=2))
    wanted = gradients(context, pos, tri, attr)
    spread = (
        pos.permute(2, 0, 1).contiguous().permute(1, 2, 0),
        tri.T.contiguous().T,
        torch.cat([attr, attr], 1)[:, :3],
    )
    assert not any(t.is_contiguous() for t in spread)
    for found, w in zip(gradients(context, *spread), wanted):
        assert torch.equal(found, w)
    expanded = pos[:1].expand(2, -1, -1)
    for found, w in zip(
        gradients(context, expanded, tri, attr),
        gradients(context, expanded.contiguous(), tri, attr),
    ):
        assert torch.equal(found, w)


def test_a_gradient_that_is_not_contiguous_means_the_same(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    image = render(context, pos.requires_grad_(), tri, attr)
    weight = random(*image.shape).to(image)
    (wanted,) = torch.autograd.grad(image, pos, weight, retain_graph=True)
    turned = weight.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0)
    assert not turned.is_contiguous()
    assert torch.equal(torch.autograd.grad(image, pos, turned, retain_graph=True)[0], wanted)
    assert (
        torch.autograd.grad(image.sum(), pos)[0].isfinite().all()
    )  # an expanded gradient of stride 0


@pytest.mark.parametrize("dtype, rounding", [(torch.bfloat16, BFLOAT16), (torch.float16, FLOAT16)])
def test_autocast_takes_half_attributes_and_colours_and_computes_in_float32(
    context, dtype, rounding
):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    wanted = render(context, pos, tri, attr)
    half = attr.to(dtype).requires_grad_()
    pos.requires_grad_()
    with torch.autocast(context.device.type, dtype=dtype):
        rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
        color, _ = glrast.interpolate(half, rast, tri, rast_db, "all")
        image = glrast.antialias(color.to(dtype), rast, pos, tri)
    assert rast.dtype == color.dtype == image.dtype == torch.float32
    close(image, wanted, 3 * rounding)
    image.sum().backward()
    assert half.grad.dtype == dtype and pos.grad.dtype == torch.float32
    with pytest.raises(TypeError, match="attr must be float32"):  # outside autocast it is a mistake
        glrast.interpolate(half, rast, tri)


def test_half_positions_under_autocast_are_computed_in_float32(context):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    with torch.autocast(context.device.type, dtype=torch.bfloat16):
        rast, _ = glrast.rasterize(context, pos.bfloat16(), tri, ODD)
    assert torch.equal(rast, glrast.rasterize(context, pos.bfloat16().float(), tri, ODD)[0])


def test_inference_mode_and_no_grad_give_the_same_image(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    wanted = render(context, pos.clone().requires_grad_(), tri, attr)
    for without in (torch.no_grad, torch.inference_mode):
        with without():
            image = render(context, pos.clone(), tri, attr)
        assert torch.equal(image, wanted) and not image.requires_grad


def test_checkpointing_renders_again_and_gives_the_same_gradient(context):
    from torch.utils.checkpoint import checkpoint

    pos, tri, attr = on(context, scenes.closed_mesh(1))
    pos.requires_grad_()
    (wanted,) = torch.autograd.grad(render(context, pos, tri, attr).square().sum(), pos)
    again = checkpoint(render, context, pos, tri, attr, use_reentrant=False)
    assert torch.equal(torch.autograd.grad(again.square().sum(), pos)[0], wanted)


def test_a_second_backward_and_a_double_backward_say_what_they_can(context):
    pos, tri, attr = on(context, scenes.closed_mesh(0))
    loss = render(context, pos.requires_grad_(), tri, attr).square().sum()
    first = torch.autograd.grad(loss, pos, retain_graph=True, create_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(loss, pos)[0])
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


# ---- threads ---------------------------------------------------------------------------------------------


def test_a_context_of_one_thread_serves_another_and_backward_runs_in_a_third(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    here = pos.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(render(context, here, tri, attr).square().sum(), here)
    moving = pos.clone().requires_grad_()
    image = in_thread(lambda: render(context, moving, tri, attr))
    in_thread(lambda: image.square().sum().backward())
    assert torch.equal(moving.grad, wanted)
    assert torch.equal(render(context, pos, tri, attr), image)  # and the first thread goes on


def test_many_threads_at_once_get_the_bits_that_one_gets(context):
    sizes = [ODD, (40, 64), (129, 257)]
    meshes = [on(context, scenes.closed_mesh(1, seed=seed)) for seed in range(3)]
    wanted = [gradients(context, *mesh, size) for mesh, size in zip(meshes, sizes)]
    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(gradients, context, *meshes[i % 3], sizes[i % 3]) for i in range(24)]
        for i, job in enumerate(jobs):
            for found, w in zip(job.result(timeout=600), wanted[i % 3]):
                assert torch.equal(found, w) or context.device.type == "cuda"  # atomics on a GPU


# ---- helpers ---------------------------------------------------------------------------------------------


def render(context, pos, tri, attr, resolution=ODD):
    rast, rast_db = glrast.rasterize(context, pos, tri, resolution)
    color, _ = glrast.interpolate(attr, rast, tri, rast_db)
    return glrast.antialias(color, rast, pos, tri)


def gradients(context, pos, tri, attr, resolution=ODD):
    """Of pos and attr, of a loss that uses everything."""
    pos, attr = pos.detach().requires_grad_(), attr.detach().requires_grad_()
    rast, rast_db = glrast.rasterize(context, pos, tri, resolution)
    color, color_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
    image = glrast.antialias(color, rast, pos, tri)
    loss = image.square().sum() + color_da.square().sum()
    return torch.autograd.grad(loss, (pos, attr))


def in_thread(function):
    """function() in a thread of its own; its result, or its exception here."""
    out = []

    def run():
        try:
            out.append((function(), None))
        except BaseException as error:
            out.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert out, "the thread hangs"
    if out[0][1]:
        raise out[0][1]
    return out[0][0]


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
