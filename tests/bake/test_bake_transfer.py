"""From a fine mesh to a coarse one, against a sphere, a plane and a disc over it."""

import math

import pytest
import torch

from glrast import bake
from glrast.clip import Material, Mesh, icosphere, vertex_normals
from tests.bake.sheets import ODD, sheet


@pytest.fixture(scope="module")
def coarse():
    pos, tri = icosphere(1)
    mesh = Mesh(pos, tri)
    return bake.texels(mesh, atlas=bake.atlas(mesh, 40))


@pytest.fixture(scope="module")
def fine():
    pos, tri = icosphere(5)
    return Mesh(pos, tri, color=pos * 0.5 + 0.5)


def test_the_line_along_the_normal_meets_the_sphere_where_it_must(coarse, fine):
    found = bake.transfer(fine, coarse)
    assert bool(found.found[coarse.mask].all()) and not found.found[~coarse.mask].any()
    p, n = coarse.position[coarse.mask].double(), coarse.normal[coarse.mask].double()
    along = (p * n).sum(1)
    wanted = -along + (along**2 - (p * p).sum(1) + 1).sqrt()  # |p + t n| = 1
    # the fine mesh lies within (its edge / 2)^2 / 2 of the sphere
    error = (found.displacement[coarse.mask].double() - wanted).abs()
    assert float(error.max()) < 1e-3
    normal = found.normal[coarse.mask].double()
    radial = torch.nn.functional.normalize(p + wanted[:, None] * n, dim=1)
    assert float((normal * radial).sum(1).min()) > math.cos(0.01)


def test_the_nearest_point_of_the_sphere_is_along_its_radius(coarse, fine):
    found = bake.transfer(fine, coarse, way="closest")
    p = coarse.position[coarse.mask]
    radial = torch.nn.functional.normalize(p, dim=1)
    assert float((found.normal[coarse.mask] * radial).sum(1).min()) > math.cos(0.03)
    colour = found.color[coarse.mask]
    torch.testing.assert_close(colour[:, :3], radial * 0.5 + 0.5, rtol=0, atol=0.03)
    assert bool((colour[:, 3] == 1).all())


def test_reach_leaves_out_what_is_further(coarse, fine):
    gap = bake.transfer(fine, coarse).displacement
    found = bake.transfer(fine, coarse, reach=0.05)
    assert torch.equal(found.found, coarse.mask & (gap.abs() <= 0.05)) and found.found.any()
    assert not found.color[~found.found].any() and not found.displacement[~found.found].any()


def test_the_normal_map_of_a_mesh_on_itself_is_straight(coarse):
    found = bake.transfer(coarse.mesh, coarse)
    straight = torch.tensor([0.0, 0.0, 1.0]).expand(*coarse.resolution, 3)
    torch.testing.assert_close(found.tangent_normal, straight, rtol=0, atol=2e-3)


def test_a_tilted_plane_leans_along_the_tangent():
    low = bake.texels(sheet(), ODD)
    slope = 0.2
    high = sheet()
    pos = high.pos + torch.stack(
        [0 * high.pos[:, 0], 0 * high.pos[:, 0], slope * high.pos[:, 0]], 1
    )
    found = bake.transfer(Mesh(pos, high.tri), low)
    rise = slope * low.position[low.mask][:, 0]
    torch.testing.assert_close(found.displacement[low.mask], rise, rtol=0, atol=1e-5)
    lean = torch.nn.functional.normalize(torch.tensor([-slope, 0.0, 1.0]), dim=0)
    torch.testing.assert_close(
        found.tangent_normal[low.mask], lean.expand(int(low.mask.sum()), 3), rtol=0, atol=1e-5
    )


def test_several_materials_become_one_texture():
    mesh = sheet(1, 1)
    red, picture = (1.0, 0.0, 0.0, 1.0), torch.full((2, 2, 3), 0.5)
    mesh = Mesh(
        mesh.pos, mesh.tri, uv=mesh.uv, uv_tri=mesh.uv_tri,
        materials=(Material(factor=red), Material(texture=picture)), material=torch.tensor([0, 1]),
    )  # fmt: skip
    found = bake.texels(mesh, atlas=bake.atlas(mesh, 32, uv="new"))
    inner = found.bary.amin(-1) > 0.05  # on the edge between the two either may be nearest
    for color, number, wanted in (
        (found.color, 0, (1.0, 0.0, 0.0, 1.0)),
        (found.color, 1, (0.5, 0.5, 0.5, 1.0)),
        (bake.transfer(mesh, found).color, 0, (1.0, 0.0, 0.0, 1.0)),
        (bake.transfer(mesh, found).color, 1, (0.5, 0.5, 0.5, 1.0)),
    ):
        part = color[inner & (found.face == number)]
        assert len(part) > 50
        torch.testing.assert_close(part, torch.tensor(wanted).expand_as(part), rtol=0, atol=1e-5)


def test_a_disc_over_a_plane_takes_its_share_of_the_sky():
    base = sheet()
    radius, height, n = 0.8, 0.5, 64
    angle = torch.arange(n) * (2 * math.pi / n)
    ring = torch.stack([radius * angle.cos(), radius * angle.sin(), 0 * angle + height], 1)
    disc = torch.cat([torch.tensor([[0.0, 0.0, height]]), ring])
    fan = torch.stack([torch.zeros(n), torch.arange(n) + 1, (torch.arange(n) + 1) % n + 1], 1).int()
    both = Mesh(torch.cat([base.pos, disc]), torch.cat([base.tri, fan + len(base.pos)]))
    texels = bake.texels(base, (17, 17))
    sky = bake.ambient_occlusion(texels, both, directions=256, resolution=128)
    # the form factor of a disc seen from under its middle: R^2 / (R^2 + h^2)
    wanted = 1 - radius**2 / (radius**2 + height**2)
    assert float(sky[8, 8]) == pytest.approx(wanted, abs=0.03)
    free = bake.ambient_occlusion(texels, directions=32, resolution=64)
    assert bool((free == 1).all())


def test_wrong_arguments_are_told(coarse):
    flat = Mesh(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]))
    with pytest.raises(
        ValueError, match="glrast.bake.transfer: high must have a triangle with an area"
    ):
        bake.transfer(flat, coarse)
    with pytest.raises(ValueError, match="way must be 'normal' or 'closest'"):
        bake.transfer(flat, coarse, way="ray")


def test_normals_of_the_file_are_taken_where_there_are_some(coarse, fine):
    turned = Mesh(fine.pos, fine.tri, normal=-vertex_normals(fine.pos, fine.tri))
    one, other = (bake.transfer(m, coarse, way="closest").normal for m in (fine, turned))
    torch.testing.assert_close(one, -other)
