"""Arguments that nobody means: every public function answers with an error of ours that names it, or with a result."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

import glrast
from glrast import clip, losses, optim
from tests import scenes
from tests.scenes import ODD

OURS = (TypeError, ValueError, IndexError, RuntimeError, FloatingPointError)


@pytest.fixture(scope="module")
def good():
    """Arguments that are right, by name."""
    context = glrast.Context("cpu")
    pos, tri, attr = scenes.closed_mesh(1)
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    color, _ = glrast.interpolate(attr, rast, tri)
    return dict(
        ctx=context, pos=pos, tri=tri, attr=attr, rast=rast, rast_db=rast_db, color=color,
        tex=torch.rand(1, 8, 8, 3), uv=color[..., :2].contiguous(), uv_da=torch.rand(1, *ODD, 4),
        points=pos[0, :, :3].contiguous(), matrix=torch.eye(4),
    )  # fmt: skip


def calls(g):
    """{function: (its name in messages, call with replaced arguments, right arguments)}"""
    ctx, faces = g["ctx"], g["tri"]
    points, size = g["points"], ODD
    mesh = dict(pos=points, tri=faces)
    drawing = dict(pos=g["pos"], tri=faces, resolution=size, ranges=None, grad_db=True, cull="none")
    painted = dict(color=g["color"], rast=g["rast"], pos=g["pos"], tri=faces)
    return {
        "Context": (glrast.Context, dict(device="cpu", buffers="auto")),
        "RasterizeGLContext": (glrast.RasterizeGLContext, dict(mode="automatic", device="cpu")),
        "rasterize": (lambda **k: glrast.rasterize(ctx, **k), drawing),
        "peel": (lambda **k: glrast.peel(ctx, **k), dict(drawing, max_layers=1)),
        "DepthPeeler": (lambda **k: glrast.DepthPeeler(ctx, **k), drawing),
        "interpolate": (
            glrast.interpolate,
            dict(attr=g["attr"], rast=g["rast"], tri=faces, rast_db=g["rast_db"], diff_attrs="all"),
        ),
        "texture": (
            glrast.texture,
            dict(
                tex=g["tex"], uv=g["uv"], uv_da=g["uv_da"], mip_level_bias=torch.zeros(1, *ODD), mip=None,
                filter_mode="auto", boundary_mode="wrap", max_mip_level=None,
            ),
        ),
        "texture_construct_mip": (
            glrast.texture_construct_mip,
            dict(tex=g["tex"], max_mip_level=None, cube_mode=False),
        ),
        "antialias": (
            glrast.antialias,
            dict(
                painted, topology_hash=None, pos_gradient_boost=1.0, cull="none",
                discontinuities="silhouettes",
            ),
        ),
        "antialias_construct_topology_hash": (
            glrast.antialias_construct_topology_hash,
            dict(tri=faces),
        ),
        "triangle_id": (glrast.triangle_id, dict(rast=g["rast"])),
        **fitting(g["color"], points, faces),
        "clip.face_normals": (clip.face_normals, mesh),
        "clip.vertex_normals": (clip.vertex_normals, dict(mesh, weight="area")),
        "clip.edges": (clip.edges, dict(tri=faces)),
        "clip.edge_lengths": (clip.edge_lengths, mesh),
        "clip.is_closed": (clip.is_closed, dict(tri=faces)),
        "clip.laplacian": (clip.laplacian, dict(tri=faces, V=42)),
        "clip.connected_components": (clip.connected_components, dict(tri=faces, V=42)),
        "clip.remove_small_components": (
            clip.remove_small_components,
            dict(mesh, fraction=0.1),
        ),
        "clip.weld": (clip.weld, dict(mesh, tolerance=0.0)),
        "clip.subdivide": (clip.subdivide, mesh),
        "clip.subdivide_loop": (clip.subdivide_loop, mesh),
        "clip.remesh": (clip.remesh, dict(mesh, target_length=1.0, iterations=1)),
        "clip.icosphere": (clip.icosphere, dict(level=1)),
        "clip.grid": (clip.grid, dict(rows=2, cols=3)),
        "clip.torus": (clip.torus, dict(rows=4, cols=5, radius=1.0, tube=0.3)),
        "clip.cube_directions": (clip.cube_directions, dict(size=4)),
        "clip.transform_points": (clip.transform_points, dict(matrix=g["matrix"], points=points)),
        "clip.perspective": (
            clip.perspective,
            dict(fov_rad=0.8, aspect=1.0, near=0.1, far=9.0),
        ),
        "clip.orthographic": (
            clip.orthographic,
            dict(half_height=1.0, aspect=1.0, near=0.1, far=9.0),
        ),
        "clip.from_intrinsics": (
            clip.from_intrinsics,
            dict(fx=9.0, fy=9.0, cx=4.0, cy=4.0, resolution=ODD, near=0.1, far=9.0, pixel_centre=0.5),
        ),
        "clip.look_at": (clip.look_at, dict(eye=(0, 0, 3), target=(0, 0, 0), up=(0, 1, 0))),
        "clip.from_blender": (clip.from_blender, dict(camera_to_world=torch.eye(4))),
    }  # fmt: skip


def fitting(color, points, faces):
    mask = torch.ones(1, *ODD, 1)
    of_images = ("l1_loss", "l2_loss", "huber_loss", "charbonnier_loss", "ssim", "dssim_loss")
    compared = dict(image=color, target=color.flip(2), mask=mask)
    covered = dict(alpha=mask, target=1 - mask)
    mesh = dict(pos=points, tri=faces)
    return {
        **{f"losses.{name}": (getattr(losses, name), compared) for name in of_images},
        "losses.psnr": (losses.psnr, dict(image=color, target=color)),
        "losses.total_variation": (losses.total_variation, dict(image=color, wrap=True)),
        "losses.mask_loss": (losses.mask_loss, dict(covered, mask=mask)),
        "losses.iou": (losses.iou, covered),
        "losses.iou_loss": (losses.iou_loss, covered),
        "losses.mesh_laplacian_smoothing": (
            losses.mesh_laplacian_smoothing,
            dict(mesh, method="cot", squared=True),
        ),
        "losses.mesh_normal_consistency": (losses.mesh_normal_consistency, mesh),
        "losses.mesh_edge_loss": (losses.mesh_edge_loss, dict(mesh, target_length="mean")),
        "losses.dirichlet_energy": (losses.dirichlet_energy, dict(attr=points, tri=faces)),
        "optim.LargeSteps": (
            optim.LargeSteps,
            dict(tri=faces, vertex_count=42, lambda_=19.0, solver="auto"),
        ),
    }


# ---- one wrong argument each: the rows of reports ----------------------------------------------------------

ARRAY, PAIR = np.array(["none"]), torch.tensor([1, 2])
WRONG = {
    "antialias": dict(
        pos_gradient_boost=["x", None, [1], PAIR, math.nan, math.inf, True], cull=[ARRAY, None, ["none"]],
        discontinuities=[np.array(["all", "x"]), 3, ["all"]], topology_hash=["x", PAIR],
    ),
    "rasterize": dict(
        cull=[ARRAY, None, 1], grad_db=[PAIR, np.array([1, 0]), "x"], ranges=[b"x", object(), "x", [[True, False]], {}],
        resolution=[(True, True), (1,), "ab", None, (2**20 + 1, 1), (0.5, 1), torch.rand(3)],
    ),
    "peel": dict(
        cull=[ARRAY], grad_db=[PAIR], max_layers=["x", [1, 2], PAIR, -1, 0.5, True, math.nan], resolution=[(0, 1)],
        pos=["x"], tri=[None], ranges=[b"x"],
    ),
    "DepthPeeler": dict(cull=[ARRAY], grad_db=[PAIR], resolution=[(True, 1)], pos=[None]),
    "texture": dict(
        boundary_mode=[ARRAY, None, ["wrap"]], filter_mode=[np.array(["auto", "x"]), 5],
        max_mip_level=[np.array([1, 2]), -1, 0.5, True, "all", PAIR], mip=[3, "x"],
    ),
    "texture_construct_mip": dict(cube_mode=[PAIR, np.array([1, 0]), "x"], max_mip_level=[ARRAY]),
    "Context": dict(buffers=[ARRAY, np.array(["id", "id"]), None], device=[2**63, True, -1, 1000, "x", [], 1.5]),
    "RasterizeGLContext": dict(mode=[ARRAY, np.array(["manual", "x"])]),
    "clip.face_normals": dict(pos=[None, "x", [[1, 2]], {}], tri=[None, "x", b"x"]),
    "clip.vertex_normals": dict(pos=[None, "x"], tri=["x", None], weight=[ARRAY, None]),
    "clip.laplacian": dict(V=["x", None, 1e30, math.nan, math.inf, 2**63, 10.7, True]),
    "clip.connected_components": dict(V=["x", None, 1e30, math.nan, math.inf, 2**63, 10.7]),
    "clip.cube_directions": dict(size=[2**63, 1e30, "x", None, True]),
    "clip.grid": dict(rows=[2**63, 1e30, "x"], cols=[2**40]),
    "clip.torus": dict(rows=[2**63], radius=["x", None, math.nan], tube=["x", [1], math.inf]),
    "clip.remove_small_components": dict(fraction=["x", None, [1], math.nan]),
    "clip.weld": dict(tolerance=["x", None, [1], math.nan]),
    "clip.remesh": dict(target_length=["x", None, math.nan, 0], iterations=["x", None, 1.5, -1, True]),
}  # fmt: skip
ROWS = [(f, a, i) for f, wrong in WRONG.items() for a, values in wrong.items() for i in range(len(values))]  # fmt: skip


@pytest.mark.parametrize("function, argument, which", ROWS)
def test_a_wrong_argument_is_named(good, function, argument, which):
    call, right = calls(good)[function]
    with pytest.raises((TypeError, ValueError)) as raised:
        call(**{**right, argument: WRONG[function][argument][which]})
    assert str(raised.value).startswith(f"glrast.{function}: ")
    assert argument.split("_")[0] in str(raised.value)


def odd_tensors():
    values = torch.arange(6).reshape(2, 3)
    return {
        "str": "x", "bytes": b"x", "dict": {1: 2}, "set": {1}, "type": int, "generator": (i for i in range(3)),
        "sparse": values.float().to_sparse(), "meta": torch.empty(2, 3, device="meta"),
        "quantized": torch.quantize_per_tensor(values.float(), 1, 0, torch.quint8), "object": object(),
        "nested": torch.nested.nested_tensor([torch.rand(2, 3), torch.rand(1, 3)]), "complex": values * 1j,
        "ragged": [[1, 2], [3]],
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [*odd_tensors()])
def test_what_is_no_ordinary_tensor_is_refused_by_name(good, kind):
    for function, (call, right) in calls(good).items():
        for argument in right:
            if isinstance(right[argument], torch.Tensor):
                with pytest.raises((TypeError, ValueError)) as raised:
                    call(**{**right, argument: odd_tensors()[kind]})
                said = str(raised.value)
                assert said.startswith(f"glrast.{function}: ")
                assert argument.split("_")[0] in said or kind == "meta"  # or the one beside it


def test_a_fake_tensor_beside_real_ones_is_named(good):
    mode, g = FakeTensorMode(), good
    for function, argument, use in (
        ("rasterize", "pos", lambda x: glrast.rasterize(g["ctx"], x, g["tri"], ODD)),
        ("interpolate", "attr", lambda x: glrast.interpolate(x, g["rast"], g["tri"])),
        ("texture", "uv", lambda x: glrast.texture(g["tex"], x)),
        ("antialias", "color", lambda x: glrast.antialias(x, g["rast"], g["pos"], g["tri"])),
    ):
        with pytest.raises(TypeError, match=f"glrast.{function}: {argument} must be a real tensor"):
            use(mode.from_tensor(g[argument]))


def test_explain_names_what_it_was_given_wrongly(good):
    loss, pos = torch.ones((), requires_grad=True) * 2, good["pos"].clone().requires_grad_()
    for argument, value in (
        ("pos_clip", torch.rand(3)), ("pos_clip", "x"), ("tri", torch.rand(3, 3)), ("rast", torch.rand(2, 2)),
        ("loss", 1.0), ("pos", None),
    ):  # fmt: skip
        given = {"loss": loss, "pos": pos, argument: value}
        with pytest.raises((TypeError, ValueError), match=f"glrast.explain: {argument} must"):
            glrast.explain(**given)


def test_a_camera_without_a_centre_says_so():
    camera = clip.Camera(torch.zeros(4, 4), torch.eye(4), (4, 4))
    with pytest.raises(ValueError, match="glrast.clip.Camera: centre needs a world_to_camera"):
        _ = camera.centre


def test_ranges_beyond_tri_name_the_function_that_was_called(good):
    g = good
    arguments = g["ctx"], g["pos"][0], g["tri"], ODD, [[0, 10**6]]
    with pytest.raises(ValueError, match="glrast.peel: ranges must lie within tri"):
        glrast.peel(*arguments)
    with glrast.DepthPeeler(*arguments) as peeler:
        with pytest.raises(ValueError, match="glrast.DepthPeeler: ranges must lie within tri"):
            peeler.rasterize_next_layer()


def test_a_hopeless_resolution_is_refused_before_any_work(monkeypatch, good):
    from glrast.raster import drawn

    monkeypatch.setattr(drawn, "drawable", lambda *_: pytest.fail("the triangles were prepared"))
    with pytest.raises(RuntimeError, match="glrast.rasterize: resolution must be such that"):
        glrast.rasterize(good["ctx"], good["pos"], good["tri"], (2**20, 2**20))


def test_half_precision_positions_are_warned_of(good):
    g = good
    half, rast = g["pos"].bfloat16(), g["rast"]
    uses = {
        "rasterize": lambda: glrast.rasterize(g["ctx"], half, g["tri"], ODD),
        "peel": lambda: glrast.peel(g["ctx"], half, g["tri"], ODD, max_layers=1),
        "DepthPeeler": lambda: glrast.DepthPeeler(g["ctx"], half, g["tri"], ODD),
        "antialias": lambda: glrast.antialias(g["color"], rast, half, g["tri"]),
    }
    for function, use in uses.items():
        said = rf"glrast.{function}: pos must be float32.*bfloat16.*transform_points.*enabled=False"
        with torch.autocast("cpu"), pytest.warns(UserWarning, match=said) as caught:
            use()
        assert caught[0].filename == __file__  # the client's line, so that Python shows it once
        with pytest.raises(
            TypeError, match=f"glrast.{function}: pos must be float32; got bfloat16"
        ):
            use()
    with torch.autocast("cpu"), warnings.catch_warnings():
        warnings.simplefilter("error")
        glrast.interpolate(g["attr"].bfloat16(), rast, g["tri"])  # not a place
        matrix = torch.eye(4)
        assert clip.transform_points(matrix, g["points"]).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_meshes_in_half_precision_are_refused_by_name(good, dtype):
    refused = [f for f, (_, right) in calls(good).items() if f[:5] == "clip." and "pos" in right]
    assert len(refused) == 8
    for function in refused:
        call, right = calls(good)[function]
        if function.endswith("normals"):  # they keep any type
            assert call(**{**right, "pos": right["pos"].to(dtype)}).dtype == dtype
            continue
        with pytest.raises(
            TypeError,
            match=rf"^glrast.{function}: pos must be float32 or float64; got {dtype}: pass pos.float\(\)",
        ):
            call(**{**right, "pos": right["pos"].to(dtype)})


# ---- at random ---------------------------------------------------------------------------------------------


def hostile(random: np.random.Generator, right):
    """Something in the place of a right argument."""
    shape = tuple(int(x) for x in random.integers(0, 5, random.integers(0, 6)))
    kinds = [
        lambda: None,
        lambda: [True, -1, 2**63, 10**30, math.nan, -math.inf, 1e-40][int(random.integers(7))],
        lambda: ["", "none", "auto", "wrap", "\x00", "cuda:99", "cube"][int(random.integers(7))],
        lambda: torch.from_numpy(np.asarray(random.standard_normal(shape), np.float32)),
        lambda: torch.from_numpy(np.asarray(random.integers(-9, 99, shape))),
        lambda: random.standard_normal(shape).tolist(),
        lambda: torch.full(shape, math.nan),
        lambda: np.full(shape, "x"),
        lambda: right.to(random.choice(DTYPES)) if isinstance(right, torch.Tensor) else right,
        lambda: right.transpose(0, -1) if isinstance(right, torch.Tensor) and right.ndim else right,
        lambda: right[..., :-1] if isinstance(right, torch.Tensor) and right.ndim else right,
        lambda: right[:0] if isinstance(right, torch.Tensor) and right.ndim else right,
        lambda: -right * 2**40 if isinstance(right, torch.Tensor) else right,
    ]
    return kinds[int(random.integers(len(kinds)))]()


DTYPES = [torch.float16, torch.float64, torch.int8, torch.int64, torch.bool, torch.complex64]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(4))
def test_random_arguments_give_a_result_or_an_error_of_ours(good, part, request):
    random, table = np.random.default_rng(part), calls(good)
    refused = worked = 0
    for _ in range(request.config.getoption("--fuzz")):
        function = str(random.choice([*table]))
        call, right = table[function]
        chosen = [a for a in right if random.random() < 1.3 / len(right)]
        wrong = {a: hostile(random, right[a]) for a in chosen}
        try:
            call(**{**right, **wrong})
            worked += 1
        except OURS as error:
            refused += 1
            assert "glrast." in str(error), f"{function}({wrong}): {type(error).__name__}: {error}"
    assert refused > worked / 4 > 0
