"""The contract, section 8: behaviour beyond nvdiffrast."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import on, random, torch_threads
from tests.scenes import ODD


def gradients(context, scene):
    pos, tri, attr = on(context, scene)
    inputs = [t.requires_grad_() for t in (pos, attr)]
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    color, color_da = glrast.interpolate(attr, rast, tri, rast_db, "all")
    image = glrast.antialias(color, rast, pos, tri)
    loss = (image * random(*image.shape).to(image)).sum() + color_da.square().sum()
    return torch.autograd.grad(loss, inputs)


def test_gradients_are_deterministic_on_request(context):
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        runs = []
        for threads in (1, 2, 3):
            with torch_threads(threads):
                runs.append(gradients(context, scenes.closed_mesh(2)))
        assert all(torch.equal(a, b) for run in runs[1:] for a, b in zip(run, runs[0]))
    finally:
        torch.use_deterministic_algorithms(before)


@pytest.mark.slow
def test_torch_compile_has_no_graph_breaks(device):
    pos, tri, attr = (t.to(device) for t in scenes.closed_mesh(1))
    context = glrast.Context(device)

    def image(pos, attr):
        rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
        uv, uv_da = glrast.interpolate(attr[:, :2].contiguous(), rast, tri, rast_db, "all")
        color = glrast.texture(attr[None, :16, None].expand(1, 16, 16, 3), uv, uv_da)
        return glrast.antialias(color, rast, pos, tri)

    compiled = torch.compile(image, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(pos, attr), image(pos, attr))


def test_cpu_tensors_work(gl):
    context = glrast.Context("cpu")
    assert all(
        g.device.type == "cpu" and g.any() for g in gradients(context, scenes.closed_mesh(1))
    )


def test_culled_neighbours_are_silhouettes_to_antialias(context):
    pos, tri, attr = on(context, scenes.closed_mesh(2))
    half = tri[
        (attr[tri.long()].mean(1) > 0.45).all(1)
    ]  # with holes, through which the inside is seen
    rast, _ = glrast.rasterize(context, pos, half, (64, 64), cull="back")
    open_, _ = glrast.rasterize(context, pos, half, (64, 64))
    assert not torch.equal(rast, open_)
    color = (rast[..., 3:] > 0).float()
    image = glrast.antialias(color, rast, pos, half)
    visible = half[
        (glrast.triangle_id(rast).unique()[1:]).long()
    ]  # as if nothing else had been there
    alone, _ = glrast.rasterize(context, pos, visible, (64, 64), cull="back")
    assert torch.equal((alone[..., 3:] > 0).float(), color)
    assert torch.equal(glrast.antialias(color, alone, pos, visible), image)


def test_ids_are_int32_on_request(context):
    pos, tri, _ = on(context, scenes.closed_mesh(1))
    ids = glrast.triangle_id(glrast.rasterize(context, pos, tri, ODD)[0])
    assert ids.dtype == torch.int32 and ids.shape == (1, *ODD) and ids.min() == -1


def test_second_derivatives_are_a_runtime_error(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    color, _ = glrast.interpolate(attr, rast, tri)
    uv, tex = color[..., :2].contiguous(), attr[None, None].contiguous()
    for operation, given in (
        (lambda pos: glrast.rasterize(context, pos, tri, ODD)[0], pos),
        (lambda pos: glrast.peel(context, pos, tri, ODD, max_layers=1)[0][0], pos),
        (lambda attr: glrast.interpolate(attr, rast, tri)[0], attr),
        (lambda tex: glrast.texture(tex, uv), tex),
        (lambda pos: glrast.antialias(color, rast, pos, tri), pos),
    ):
        leaf = given.clone().requires_grad_()
        loss = operation(leaf).square().sum()
        (first,) = torch.autograd.grad(loss, leaf, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            first.sum().backward()


def test_errors_name_the_function_the_argument_the_expected_and_the_found(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    tex, uv = attr[None, None], rast[..., :2].contiguous()
    for wrong, said in (
        (
            lambda: glrast.rasterize(context, pos[..., :3], tri, ODD),
            r"glrast.rasterize: pos must be \[N,V,4\].*got \[",
        ),
        (
            lambda: glrast.DepthPeeler(context, pos, tri, (0, 1)),
            r"glrast.DepthPeeler: resolution must be .*got \(0, 1\)",
        ),
        (
            lambda: glrast.interpolate(attr[:, 0], rast, tri),
            r"glrast.interpolate: attr must be .*got \[",
        ),
        (lambda: glrast.texture(tex, uv[..., :1]), r"glrast.texture: uv must be .*got \["),
        (
            lambda: glrast.antialias(rast[0], rast, pos, tri),
            r"glrast.antialias: color must be .*got \[",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{said}"):
            wrong()
