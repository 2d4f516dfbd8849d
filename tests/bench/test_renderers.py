"""softras and PyTorch3D of the paper's table draw the same, by what glrast.pytorch3d says that PyTorch3D does."""

import sys
from types import ModuleType

import pytest
import torch

import glrast.pytorch3d
from glrast.bench import renderers, scene
from tests.pytorch3d.standins import Meshes


def interpolate_face_attributes(pix_to_face, bary, attributes):
    at = attributes[pix_to_face.clamp(min=0)]
    there = (pix_to_face >= 0)[..., None]
    return torch.where(there, (bary[..., None] * at).sum(-2), 0)


@pytest.fixture
def in_its_place(monkeypatch):
    """glrast.pytorch3d where PyTorch3D would be."""
    names = {
        "ops": dict(interpolate_face_attributes=interpolate_face_attributes),
        "renderer.blending": vars(glrast.pytorch3d),
        "renderer.mesh.rasterize_meshes": vars(glrast.pytorch3d),
        "structures": dict(Meshes=Meshes),
    }
    for name in ("", "renderer", "renderer.mesh", *names):
        module = ModuleType(f"pytorch3d.{name}".rstrip("."))
        module.__dict__.update(names.get(name, {}), __path__=[], __name__=module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.parametrize("triangles", [284, 5000])
def test_softras_and_pytorch3d_of_the_table_draw_the_same_mask(in_its_place, triangles):
    made = scene.even_sphere(triangles, 64, torch.device("cpu"))
    weight = torch.rand(1, 64, 64, generator=torch.Generator().manual_seed(0))
    masks, gradients = [], []
    for which in ("softras", "PyTorch3D"):
        image, inputs = renderers.RENDERERS[which](made)
        mask = image()[..., 3]
        mask = mask.flip(1) if which == "PyTorch3D" else mask  # its first row is the top
        masks.append(mask)
        gradients.append(torch.autograd.grad((mask * weight).sum(), inputs[0])[0])
    assert masks[0].mean() > 0.6 and (masks[0] - masks[1]).abs().max() < 3e-5
    assert (gradients[0] - gradients[1]).norm() < 1e-4 * gradients[1].norm()
