"""The contract, section 7: what clients do, in the words of their code."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import glrast.torch as dr
from tests import scenes
from tests.ops.compare import close, relative_error

glctx = None  # clients keep it at module level


@pytest.fixture(autouse=True)
def module_level_context(device, gl):
    global glctx
    if glctx is None or glctx.device != device:
        glctx = dr.RasterizeGLContext(device=device)


@pytest.fixture
def mesh(device):
    """(pos_clip [1,V,4], faces int32 [T,3], colours [V,3]) of a closed mesh."""
    return [t.to(device) for t in scenes.closed_mesh(1)]


def test_a_context_at_module_level_draws_what_one_per_frame_draws(mesh, device):
    pos_clip, faces, vtx_col = mesh
    kept, _ = dr.rasterize(glctx, pos_clip, faces, [64, 64])
    for _ in range(3):
        fresh, _ = dr.rasterize(dr.RasterizeCudaContext(device=device), pos_clip, faces, [64, 64])
        assert torch.equal(fresh, kept)


def test_every_argument_may_be_given_by_name(mesh, device):
    pos_clip, faces, vtx_col = mesh
    rast_out, rast_out_db = dr.rasterize(
        glctx, pos=pos_clip, tri=faces, resolution=[64, 64], ranges=None, grad_db=True
    )
    texc, texd = dr.interpolate(
        attr=vtx_col[None, :, :2].contiguous(),
        rast=rast_out,
        tri=faces,
        rast_db=rast_out_db,
        diff_attrs="all",
    )
    tex = torch.rand(1, 16, 16, 3, device=device)
    color = dr.texture(
        tex=tex, uv=texc, uv_da=texd, mip_level_bias=None, mip=None, filter_mode="linear-mipmap-linear",
        boundary_mode="wrap", max_mip_level=3,
    )  # fmt: skip
    color = dr.antialias(
        color=color,
        rast=rast_out,
        pos=pos_clip,
        tri=faces,
        topology_hash=None,
        pos_gradient_boost=1.0,
    )
    assert color.shape == (1, 64, 64, 3) and color.isfinite().all()


def test_a_mesh_is_baked_by_drawing_its_uv(mesh, device):
    uv = torch.tensor([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]], device=device)
    uv_faces = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32, device=device)
    v_pos = torch.rand(4, 3, device=device)
    uv_clip = uv * 2 - 1
    uv_clip4 = torch.cat(
        [uv_clip, torch.zeros_like(uv_clip[..., :1]), torch.ones_like(uv_clip[..., :1])], -1
    )
    rast, _ = dr.rasterize(glctx, uv_clip4[None, ...], uv_faces, (32, 32))
    gb_pos, _ = dr.interpolate(v_pos[None, ...], rast, uv_faces)
    mask = rast[..., 3:] > 0
    assert 0.55 < mask.float().mean() < 0.7 and gb_pos[mask.expand_as(gb_pos)].min() > 0


def test_two_dimensional_attributes_serve_all_images_of_an_instanced_rast(mesh):
    pos_clip, faces, vtx_col = mesh
    rast, _ = dr.rasterize(glctx, torch.cat([pos_clip, pos_clip * 0.9]), faces, [32, 32])
    color, _ = dr.interpolate(vtx_col, rast, faces)
    assert color.shape == (2, 32, 32, 3)


def test_a_cube_map_reads_a_list_of_mips_by_a_bias_without_uv_da(device):
    base = torch.rand(1, 6, 16, 16, 3, device=device, requires_grad=True)
    specular = [
        base,
        torch.rand(1, 6, 8, 8, 3, device=device),
        torch.rand(1, 6, 4, 4, 3, device=device),
    ]
    reflvec = F.normalize(torch.randn(1, 5, 7, 3, device=device), dim=-1)
    miplevel = torch.rand(1, 5, 7, device=device) * 2
    spec = dr.texture(
        specular[0], reflvec.contiguous(), mip=[m for m in specular[1:]], mip_level_bias=miplevel,
        filter_mode="linear-mipmap-linear", boundary_mode="cube",
    )  # fmt: skip
    assert spec.shape == (1, 5, 7, 3) and torch.autograd.grad(spec.sum(), base)[0].any()
    coarsest = dr.texture(
        specular[0],
        reflvec,
        mip=specular[1:],
        mip_level_bias=torch.full_like(miplevel, 2.0),
        boundary_mode="cube",
    )
    close(
        coarsest, dr.texture(specular[2], reflvec, filter_mode="linear", boundary_mode="cube"), 1e-5
    )


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_uv_da_given_in_nearest_or_linear_mode_changes_nothing(device, mode):
    tex, uv = torch.rand(1, 8, 8, 3, device=device), torch.rand(1, 5, 7, 2, device=device)
    uv_da = torch.rand(1, 5, 7, 4, device=device)
    with_da = dr.texture(tex, uv, uv_da, filter_mode=mode)
    assert torch.equal(with_da, dr.texture(tex, uv, filter_mode=mode))


def test_a_depth_peeler_of_one_layer_gives_what_rasterize_gives(mesh):
    pos_clip, faces, vtx_col = mesh
    num_layers, layers = 1, []
    with dr.DepthPeeler(glctx, pos_clip, faces, [64, 64]) as peeler:
        for _ in range(num_layers):
            rast, db = peeler.rasterize_next_layer()
            layers.append((rast, db))
    assert torch.equal(layers[0][0], dr.rasterize(glctx, pos_clip, faces, [64, 64])[0])


def test_chunks_merged_by_depth_are_the_whole_picture(mesh):
    pos_clip, faces, _ = mesh
    n, rast = 17, None
    for i in range(0, len(faces), n):
        chunk, _ = dr.rasterize(glctx, pos_clip, faces[i : i + n], [64, 64])
        hit = chunk[..., 3:] > 0
        chunk = torch.cat(
            [chunk[..., :3], torch.where(hit, chunk[..., 3:] + i, chunk[..., 3:])], -1
        )
        if rast is None:
            rast = chunk
        else:
            nearer = hit & ((rast[..., 3:] == 0) | (chunk[..., 2:3] < rast[..., 2:3]))
            rast = torch.where(nearer, chunk, rast)
    assert torch.equal(rast, dr.rasterize(glctx, pos_clip, faces, [64, 64])[0])


def test_a_rast_flipped_vertically_gives_the_flipped_picture(mesh):
    pos_clip, faces, vtx_col = mesh
    rast, _ = dr.rasterize(glctx, pos_clip, faces, [40, 64])
    rast_flipped = torch.flip(rast, dims=[1])
    color, _ = dr.interpolate(vtx_col, rast_flipped, faces)
    assert torch.equal(color, dr.interpolate(vtx_col, rast, faces)[0].flip(1))


def test_resolution_may_be_a_numpy_array(mesh):
    pos_clip, faces, _ = mesh
    resolution = np.array([30, 50]) * 2
    assert dr.rasterize(glctx, pos_clip, faces, resolution=resolution)[0].shape == (1, 60, 100, 4)


def test_inputs_may_be_non_contiguous_and_faces_int64(mesh, device):
    pos_clip, faces, vtx_col = mesh
    rast, _ = dr.rasterize(
        glctx, pos_clip.mT.contiguous().mT, faces.long().T.contiguous().T, [33, 17]
    )
    both = torch.cat([vtx_col, vtx_col], -1)
    color, _ = dr.interpolate(both[:, 2:5], rast, faces.long())
    uv = color.permute(0, 3, 1, 2)[:, :2].permute(0, 2, 3, 1)
    tex = torch.rand(1, 3, 8, 8, device=device).permute(0, 2, 3, 1)
    shaded = dr.texture(tex, uv)
    image = dr.antialias(shaded, rast, pos_clip, faces.long())
    straight = dr.antialias(dr.texture(tex.contiguous(), uv.contiguous()), rast, pos_clip, faces)
    assert not any(t.is_contiguous() for t in (both[:, 2:5], uv, tex)) and torch.equal(
        image, straight
    )
    assert torch.equal(rast, dr.rasterize(glctx, pos_clip, faces, [33, 17])[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_converted_under_autocast(mesh, device, dtype):
    pos_clip, faces, vtx_col = mesh
    linear = torch.nn.Linear(3, 3).to(device)
    with torch.autocast(device.type, dtype=dtype):
        predicted = linear(vtx_col)  # half precision, as a network gives it
        rast, rast_db = dr.rasterize(glctx, pos_clip, faces, [33, 17])
        color, _ = dr.interpolate(predicted, rast, faces)
        albedo = dr.texture(
            torch.rand(1, 8, 8, 3, device=device).to(dtype), color[..., :2].to(dtype)
        )
        image = dr.antialias(albedo.to(dtype), rast, pos_clip, faces)
    assert predicted.dtype == dtype and image.dtype == torch.float32
    assert torch.equal(rast, dr.rasterize(glctx, pos_clip, faces, [33, 17])[0])
    color.sum().backward()
    assert linear.weight.grad.any()


def test_half_precision_without_autocast_is_a_type_error_with_the_remedy(mesh):
    pos_clip, faces, vtx_col = mesh
    rast, _ = dr.rasterize(glctx, pos_clip, faces, [33, 17])
    with pytest.raises(TypeError, match=r"attr must be float32; got float16: convert it with attr"):
        dr.interpolate(vtx_col.half(), rast, faces)


def test_unequal_meshes_are_drawn_as_a_batch_by_ranges_on_any_device(mesh, device):
    small, small_faces, _ = (t.to(device) for t in scenes.one_triangle(1))
    pos_clip, faces, _ = mesh
    packed = torch.cat([pos_clip[0], small[0]])
    all_faces = torch.cat([faces, small_faces + pos_clip.shape[1]])
    counts = torch.tensor([len(faces), len(small_faces)], device=device)
    ranges = torch.stack([counts.cumsum(0) - counts, counts], 1).int()
    for r in (ranges, ranges.cpu(), ranges.tolist()):
        rast, _ = dr.rasterize(glctx, packed, all_faces, [33, 17], ranges=r)
        assert torch.equal(rast[0], dr.rasterize(glctx, pos_clip, faces, [33, 17])[0][0])
        alone = dr.rasterize(glctx, small, small_faces, [33, 17])[0][0]
        assert torch.equal(rast[1][..., :3], alone[..., :3])


def test_antialias_broadcasts_one_set_of_positions(mesh):
    pos_clip, faces, vtx_col = mesh
    rast, _ = dr.rasterize(glctx, pos_clip.expand(3, -1, -1), faces, [33, 17])
    color, _ = dr.interpolate(vtx_col, rast, faces)
    pos_clip.requires_grad_()
    image = dr.antialias(color.contiguous(), rast, pos_clip, faces)
    (grad,) = torch.autograd.grad(image.square().sum(), pos_clip)
    one = dr.antialias(color[:1], rast[:1], pos_clip, faces)
    (single,) = torch.autograd.grad(one.square().sum(), pos_clip)
    assert torch.equal(image, one.expand_as(image)) and relative_error(grad, 3 * single) < 1e-5


@pytest.mark.parametrize("N, V, T", [(0, 3, 1), (2, 0, 0), (2, 3, 0)])
def test_nothing_to_draw_gives_empty_images_and_no_gradient(device, N, V, T):
    pos_clip = torch.zeros(N, V, 4, device=device, requires_grad=True)
    faces = torch.zeros(T, 3, dtype=torch.int32, device=device)
    uv = torch.zeros(V, 2, device=device, requires_grad=True)
    tex = torch.rand(1, 4, 4, 3, device=device, requires_grad=True)
    rast, rast_db = dr.rasterize(glctx, pos_clip, faces, [9, 5])
    with dr.DepthPeeler(glctx, pos_clip, faces, [9, 5]) as peeler:
        assert torch.equal(peeler.rasterize_next_layer()[0], rast)
    texc, texd = dr.interpolate(uv, rast, faces, rast_db, "all")
    color = dr.texture(tex, texc, texd, max_mip_level=1)
    image = dr.antialias(color, rast, pos_clip, faces)
    assert image.shape == (N, 9, 5, 3)
    image.sum().backward()
    assert not pos_clip.grad.any() and not uv.grad.any() and tex.grad.isfinite().all()
