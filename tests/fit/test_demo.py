"""The built-in object is a closed surface in colours, and its cameras see all of it."""

import pytest
import torch

from glrast.clip import is_closed, is_manifold
from glrast.fit import demo_scene
from glrast.fit.demo_views import TEST_VIEWS, TRAIN_VIEWS, demo_dataset


@pytest.mark.slow
def test_the_demo_mesh_is_closed_and_coloured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo_scene, "VOXEL", 0.03)
    pos, tri, color = demo_scene.demo_mesh()
    assert is_closed(tri) and is_manifold(tri)
    corner = pos[tri.long()]
    assert float(torch.linalg.det(corner).sum()) > 0  # triangles are anticlockwise from outside
    assert color.shape == pos.shape and 0.0 <= float(color.min()) < float(color.max()) <= 1.0


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
