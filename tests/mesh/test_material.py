"""glrast/mesh/material.py, and how a Mesh carries its materials."""

import pytest
import torch

from glrast.clip import Material, Mesh, cube


def test_a_texture_alone_is_one_plain_material():
    texture = torch.rand(2, 2, 3)
    (material,), index = Mesh(*cube(), texture=texture).appearance()
    assert material.is_plain and torch.equal(material.texture, texture)
    assert index.tolist() == [0] * 12


def test_each_triangle_has_its_material():
    red = Material("red", factor=(1, 0, 0, 1))
    leaf = Material("leaf", texture=torch.ones(1, 1, 4), alpha="mask")
    mesh = Mesh(*cube(), materials=[red, leaf], material=[0, 1] * 6).to("cpu")
    materials, index = mesh.appearance()
    assert [m.name for m in materials] == ["red", "leaf"] and index.tolist() == [0, 1] * 6
    assert mesh.material.dtype == torch.int32 and not materials[0].is_plain


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"factor": (1, 1, 1)}, r"factor must be four numbers in 0..1"),
        ({"factor": (1, 1, 2, 1)}, r"factor must be four numbers in 0..1"),
        ({"wrap": "repeat"}, r"wrap must be two of repeat, mirror, clamp"),
        ({"alpha": "MASK"}, r"alpha must be one of opaque, mask, blend; got 'MASK'"),
        ({"filter": 1}, r"filter must be one of linear, nearest; got 1"),
        ({"cutoff": "x"}, r"cutoff must be a finite number; got 'x'"),
        ({"texture": torch.ones(2, 2)}, r"texture must be \[Ht,Wt,C\], not empty; got \[2,2\]"),
    ],
)
def test_a_wrong_material_says_what_is_wrong(wrong, message):
    with pytest.raises(ValueError, match=r"glrast.clip.Material: " + message):
        Material(**wrong)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"materials": [Material()], "material": [0] * 11}, r"material must be integers \[12\]"),
        ({"materials": [Material()], "material": [1] * 12}, r"from 0 to 0"),
        ({"material": [0] * 12}, r"into materials"),
        ({"materials": [Material()], "texture": torch.ones(1, 1, 3)}, r"must not both be given"),
        ({"origin": (0, 0)}, r"origin must be three finite numbers; got \(0, 0\)"),
        ({"origin": (0, 0, float("nan"))}, r"origin must be three finite numbers"),
    ],
)
def test_a_mesh_refuses_materials_that_do_not_fit(wrong, message):
    with pytest.raises(ValueError, match=r"glrast.clip.Mesh: .*" + message):
        Mesh(*cube(), **wrong)
