"""Which uv is taken, and what is said of it."""

import sys
from dataclasses import replace

import pytest
import torch

from glrast import bake
from glrast.bake.charts import charts
from glrast.clip import Mesh, cube, icosphere
from tests.bake.sheets import sheet


def several(*parts: tuple[float, float, float]) -> Mesh:
    """The sheet once for each (u, v, scale): its uv moved and scaled; negative scale: mirrored in u."""
    base = sheet(1, 1, 0.0, 1.0)
    uv = [
        torch.stack([base.uv[:, 0] * s, base.uv[:, 1] * abs(s)], 1) + torch.tensor([u, v])
        for u, v, s in parts
    ]
    tri = torch.cat([base.tri + len(base.pos) * k for k in range(len(parts))])
    pos = torch.cat([base.pos + 3 * k for k in range(len(parts))])
    return Mesh(pos, tri, uv=torch.cat(uv), uv_tri=tri)


def test_a_clean_atlas_is_told_to_be_clean():
    found = bake.report(sheet(3, 5), 32)
    assert found.usable and (found.triangles, found.charts) == (30, 1)
    assert (found.overlapping, found.mirrored, found.outside, found.flat, found.uncovered) == (
        0,
    ) * 5
    assert found.texels[1] == pytest.approx(0.8**2 * 32**2 / 30, rel=1e-5)
    assert found.covered == pytest.approx((26 / 32) ** 2)
    assert str(found).startswith("30 triangles in 1 charts on 32 x 32 texels")


def test_overlaps_mirrors_outliers_and_flat_triangles_are_counted():
    found = bake.report(several((0, 0, 0.5), (0.25, 0, 0.5)), 32)
    assert found.overlapping == 8 * 16 and found.charts == 2 and not found.usable
    found = bake.report(several((0, 0, 0.5), (1, 0, -0.5)), 32)
    assert found.mirrored == 2 and found.overlapping == 0 and found.usable
    found = bake.report(several((0, 0, 0.5), (0.75, 0.5, 0.5)), 32)
    assert found.outside == 2 and not found.usable
    found = bake.report(several((0, 0, 0.5), (0.75, 0.5, 0.0)), 32)
    assert found.flat == 2 and not found.usable
    found = bake.report(several((0, 0, 0.5), (0.752, 0.502, 0.001)), 32)
    assert found.uncovered == 2 and found.usable


def test_overlaps_of_different_portions_are_counted(monkeypatch):
    monkeypatch.setattr(sys.modules["glrast.bake.report"], "CHUNK", 1)
    assert bake.report(several((0, 0, 0.5), (0.25, 0, 0.5)), 32).overlapping == 8 * 16


def test_auto_takes_the_own_uv_where_it_is_clean():
    clean = sheet()
    assert torch.equal(bake.atlas(clean, 32).uv, clean.uv)
    mirrored_halves = several((0, 0, 0.5), (0.5, 0, -0.5))
    assert bake.report(mirrored_halves, 32).overlapping
    made = bake.atlas(mirrored_halves, 32)
    assert made.size == 32 and not torch.equal(made.uv, mirrored_halves.uv)
    assert bake.report(mirrored_halves, atlas=made).usable
    assert torch.equal(bake.atlas(mirrored_halves, 32, uv="own").uv, mirrored_halves.uv)


def test_charts_end_where_places_differ_not_where_indices_do():
    mesh = sheet(2, 2)
    apart = Mesh(mesh.pos, mesh.tri, uv=mesh.uv[mesh.uv_tri.long()].reshape(-1, 2),
                 uv_tri=torch.arange(24).reshape(8, 3))  # fmt: skip
    assert charts(apart.uv, apart.uv_tri).tolist() == [0] * 8
    two = several((0, 0, 0.4), (0.5, 0, 0.4))
    assert charts(two.uv, two.uv_tri).tolist() == [0, 0, 1, 1]
    fold = Mesh(
        torch.rand(4, 3), torch.tensor([[0, 1, 2], [2, 1, 3]]),
        uv=torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.2, 0.1]]),
        uv_tri=torch.tensor([[0, 1, 2], [2, 1, 3]]),
    )  # fmt: skip
    assert charts(fold.uv, fold.uv_tri).tolist() == [0, 1]  # both on one side of their edge


def test_a_mesh_with_an_atlas_has_its_uv_and_one_material():
    mesh = replace(sheet(), color=torch.rand(24, 3))
    made = bake.atlas(mesh, 16, uv="new")
    texture = torch.rand(16, 16, 3)
    new = bake.with_atlas(mesh, made, texture)
    assert new.color is None and torch.equal(new.texture, texture) and torch.equal(new.uv, made.uv)
    assert torch.equal(new.pos, mesh.pos) and len(new.appearance()[0]) == 1


def test_wrong_arguments_are_told():
    bare = Mesh(*icosphere(0))
    with pytest.raises(ValueError, match="glrast.bake.atlas: mesh must have uv for uv='own'"):
        bake.atlas(bare, 32, uv="own")
    with pytest.raises(ValueError, match="uv must be 'auto', 'own' or 'new'"):
        bake.atlas(bare, 32, uv="xatlas")
    with pytest.raises(ValueError, match="size must be a whole number from 4"):
        bake.atlas(bare, 0)
    for pos, what in (
        (torch.zeros(3, 3), "have an area"),
        (torch.full((3, 3), float("nan")), "finite"),
    ):
        with pytest.raises(
            ValueError, match=f"mesh.*must {'be ' if what == 'finite' else ''}{what}"
        ):
            bake.atlas(Mesh(pos, torch.tensor([[0, 1, 2]])), 32)
    with pytest.raises(ValueError, match="a row of uv_tri for each of the mesh's 20 triangles"):
        bake.with_atlas(bare, bake.atlas(Mesh(*cube()), 32))


def test_without_xatlas_a_new_atlas_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "xatlas", None)
    with pytest.raises(
        ModuleNotFoundError, match=r'glrast.bake.atlas.*pip install "glrast\[fit\]"'
    ):
        bake.atlas(Mesh(*icosphere(0)), 32)
