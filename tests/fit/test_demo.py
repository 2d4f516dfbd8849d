"""The built-in object is a closed surface in colours, and its cameras see all of it."""

import math

import pytest
import torch

from glrast.clip import is_closed, is_manifold
from glrast.fit import demo_scene
from glrast.fit.demo_paint import CREAM, PUPIL, STALK, Place, paint
from glrast.fit.demo_scene import EYES, SHELL_START, SHELL_TURNS, shell_curve
from glrast.fit.demo_views import TEST_VIEWS, TRAIN_VIEWS, demo_dataset


@pytest.mark.slow
def test_the_demo_mesh_is_closed_and_its_triangles_face_outwards(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo_scene, "VOXEL", 0.03)
    snail = demo_scene.demo_mesh()
    assert is_closed(snail.tri) and is_manifold(snail.tri)
    corner = snail.pos[snail.tri.long()]
    assert float(torch.linalg.det(corner).sum()) > 0  # anticlockwise from outside
    V, T = len(snail.pos), len(snail.tri)
    assert (snail.part.shape, snail.up.shape, snail.turn.shape) == ((V, 4), (V,), (T,))
    assert float(snail.up.min()) < -0.9 and float(snail.up.max()) > 0.9


@pytest.mark.parametrize("error", [-2.0, 0.0, 2.0])
def test_the_band_of_the_shell_follows_all_its_turns(error: float):
    # On the tube at the band's height; what a triangle is told of its angle may be half a turn off.
    along = torch.linspace(0.05, 0.75, 33)
    angle = SHELL_START + 2 * math.pi * SHELL_TURNS * along
    around = math.sqrt(1 - 0.62**2) * torch.stack([angle.cos(), angle.sin()], dim=1)
    outwards = torch.stack([around[:, 0], torch.full_like(along, 0.62), around[:, 1]], dim=1)
    pos = shell_curve(along) + 0.1 * outwards
    on_shell = torch.tensor([[1.0, 0.0, 1.0, 1.0]]).expand(33, 4)
    color = paint(Place(pos, on_shell, torch.ones(33), angle + error))
    torch.testing.assert_close(color, torch.tensor(CREAM).expand(33, 3), rtol=0, atol=1e-6)


def test_each_place_has_the_colour_of_the_nearest_part():
    pos = torch.tensor([EYES[0]]).expand(4, 3) + torch.tensor([[0.085, 0.0, 0.0]])
    color = paint(Place(pos, 1.0 - torch.eye(4), -torch.ones(4), torch.zeros(4)))
    lit_from_below = 0.72
    assert color[3].tolist() == pytest.approx([lit_from_below * c for c in PUPIL])
    assert color[2].tolist() == pytest.approx([lit_from_below * c for c in STALK])


@pytest.mark.slow
def test_the_demo_views_show_the_object_whole_and_from_cameras_of_two_sets(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(demo_scene, "VOXEL", 0.03)
    data = demo_dataset(torch.device("cpu"), 33)
    assert (len(data.train), len(data.test)) == (TRAIN_VIEWS, TEST_VIEWS)
    for views in (data.train, data.test):
        alpha = views.rgba[..., 3]
        border = torch.cat([alpha[:, 0], alpha[:, -1], alpha[:, :, 0], alpha[:, :, -1]])
        assert not border.any() and bool((alpha > 128).flatten(1).any(dim=1).all())
        assert bool((views.rgba[..., :3].int() <= alpha[..., None].int() + 1).all())
    eye = [torch.linalg.inv(v.world_to_camera)[:, :3, 3] for v in (data.train, data.test)]
    assert float(torch.cdist(eye[0], eye[1]).min()) > 0.3
    assert data.train.fingerprint() == demo_dataset(torch.device("cpu"), 33).train.fingerprint()
