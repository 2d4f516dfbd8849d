"""What lies under each texel, against a plane, a sphere and hostile uv."""

import math
from dataclasses import replace

import pytest
import torch

from glrast import bake
from glrast.clip import Material, Mesh, icosphere
from tests.bake.sheets import ODD, centres, on_the_sheet, sheet


def test_a_plane_lies_under_the_texels_where_its_uv_says():
    found = bake.texels(sheet(), ODD)
    uv = centres(ODD)
    inside = ((uv >= 0.1) & (uv <= 0.9)).all(-1)
    assert found.resolution == ODD and torch.equal(found.mask, inside)
    wanted = torch.cat([on_the_sheet(ODD), torch.zeros(*ODD, 1)], -1)
    torch.testing.assert_close(found.position[inside], wanted[inside], rtol=0, atol=2e-6)
    assert not found.position[~inside].any() and bool((found.face[~inside] == -1).all())
    torch.testing.assert_close(
        found.normal[inside], torch.tensor([0.0, 0.0, 1.0]).expand(int(inside.sum()), 3)
    )
    tangent = torch.tensor([1.0, 0.0, 0.0, 1.0])
    torch.testing.assert_close(found.tangent[inside], tangent.expand(int(inside.sum()), 4))


def test_barycentrics_and_face_give_the_position_again():
    mesh = sheet()
    found = bake.texels(mesh, ODD)
    corners = mesh.pos[mesh.tri[found.face[found.mask].long()].long()]
    again = (found.bary[found.mask][..., None] * corners).sum(1)
    torch.testing.assert_close(again, found.position[found.mask], rtol=0, atol=1e-6)
    assert not found.bary[~found.mask].any()


def test_a_sphere_has_normals_along_its_radii_and_tangents_across_them():
    pos, tri = icosphere(3)
    mesh = Mesh(pos, tri)
    found = bake.texels(mesh, atlas=bake.atlas(mesh, 64))
    normal, position, tangent = (
        x[found.mask] for x in (found.normal, found.position, found.tangent)
    )
    radial = torch.nn.functional.normalize(position, dim=1)
    assert float((normal * radial).sum(1).min()) > math.cos(0.015)  # those of vertices are means
    assert float((tangent[:, :3] * normal).sum(1).abs().max()) < 1e-5
    torch.testing.assert_close(tangent[:, :3].norm(dim=1), torch.ones(len(tangent)))


def test_the_tangent_of_a_mirrored_chart_says_so():
    mesh = sheet()
    uv = mesh.uv * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
    found = bake.texels(replace(mesh, uv=uv), ODD)
    one = found.tangent[found.mask].unique(dim=0)
    torch.testing.assert_close(one, torch.tensor([[-1.0, 0.0, 0.0, -1.0]]))
    along, normal = one[0, :3], torch.tensor([0.0, 0.0, 1.0])
    bitangent = one[0, 3] * torch.linalg.cross(normal, along)
    torch.testing.assert_close(bitangent, torch.tensor([0.0, 1.0, 0.0]))  # +v is +y


def test_portions_do_not_change_the_result_and_the_lower_index_is_shown():
    mesh = sheet()
    twice = replace(
        mesh, tri=torch.cat([mesh.tri, mesh.tri]), uv_tri=torch.cat([mesh.uv_tri, mesh.uv_tri])
    )
    whole = bake.texels(mesh, ODD)
    for chunk in (1, 7, 1000):
        assert torch.equal(bake.texels(twice, ODD, chunk=chunk).rast, whole.rast)


def test_positions_have_gradients_to_the_mesh():
    mesh = sheet()
    pos = mesh.pos.clone().requires_grad_()
    found = bake.texels(replace(mesh, pos=pos), ODD)
    found.position[..., 0].sum().backward()
    share = torch.zeros(len(pos)).index_add(
        0, mesh.tri[found.face[found.mask].long()].long().reshape(-1),
        found.bary[found.mask].reshape(-1),
    )  # fmt: skip
    torch.testing.assert_close(pos.grad[:, 0], share, rtol=1e-4, atol=1e-4)


def test_conservative_coverage_is_every_texel_that_the_sheet_touches():
    low, high = 0.13, 0.87
    found = bake.texels(sheet(low=low, high=high), ODD, conservative=True)
    plain = bake.texels(sheet(low=low, high=high), ODD)
    assert torch.equal(found.inside, plain.mask)
    height, width = ODD
    column, row = torch.arange(width), torch.arange(height)
    touched = [
        (number + 1 > low * n) & (number < high * n)
        for number, n in ((row, height), (column, width))
    ]
    assert torch.equal(found.mask, touched[0][:, None] & touched[1][None])
    edge = on_the_sheet(ODD, low, high).clamp(-1, 1)  # the nearest point of the sheet
    torch.testing.assert_close(
        found.position[found.mask][:, :2], edge[found.mask], rtol=0, atol=2e-5
    )


def test_a_chart_smaller_than_a_texel_is_found_by_conservative_coverage_alone():
    mesh = sheet(low=0.52, high=0.53)
    assert not bake.texels(mesh, 16).mask.any()
    found = bake.texels(mesh, 16, conservative=True)
    assert found.mask.nonzero().tolist() == [[8, 8]] and not found.inside.any()


def test_the_triangles_of_one_material_alone():
    mesh = sheet()
    half = (torch.arange(len(mesh.tri)) % 2).int()
    mesh = replace(mesh, materials=(Material("a"), Material("b")), material=half)
    parts = [bake.texels(mesh, ODD, material=k) for k in (0, 1)]
    assert all(bool((half[p.face[p.mask].long()] == k).all()) for k, p in enumerate(parts))
    assert torch.equal(parts[0].mask | parts[1].mask, bake.texels(mesh, ODD).mask)


def test_uv_beyond_the_square_is_not_drawn_and_what_is_not_finite_draws_nothing():
    mesh = sheet(low=-0.5, high=1.5)
    found = bake.texels(mesh, ODD, conservative=True)
    assert bool(found.mask.all())
    wanted = on_the_sheet(ODD, -0.5, 1.5)
    torch.testing.assert_close(found.position[..., :2], wanted, rtol=0, atol=2e-6)
    for bad in (math.nan, math.inf, 1e30):
        uv = mesh.uv.clone()
        uv[0] = bad
        assert bake.texels(replace(mesh, uv=uv), ODD, conservative=True).position.isfinite().all()


def test_no_triangles_cover_nothing():
    none = torch.zeros(0, 3, dtype=torch.int32)
    empty = Mesh(torch.zeros(0, 3), none, uv=torch.zeros(0, 2), uv_tri=none)
    found = bake.texels(empty, ODD, conservative=True)
    assert not found.mask.any() and not found.position.any() and bool((found.chart == -1).all())


def test_wrong_arguments_are_told():
    bare = Mesh(*icosphere(0))
    with pytest.raises(ValueError, match="glrast.bake.texels: mesh must have uv where no atlas is"):
        bake.texels(bare, 16)
    with pytest.raises(TypeError, match="mesh must be a glrast.clip.Mesh; got tuple"):
        bake.texels((1, 2), 16)
    for size in (0, 2.5, (4, 4, 4), 1 << 20, None):
        with pytest.raises((ValueError, TypeError), match="glrast.bake.texels: size must be"):
            bake.texels(sheet(), size)
    with pytest.raises(ValueError, match="a row of uv_tri for each of the mesh's 20 triangles"):
        bake.texels(bare, 16, bake.Atlas(sheet().uv, sheet().uv_tri, 16))
    with pytest.raises(ValueError, match="chunk must be a whole number from 1"):
        bake.texels(sheet(), 16, chunk=0)
    with pytest.raises(ValueError, match="material must be"):
        bake.texels(sheet(), 16, material=3)
