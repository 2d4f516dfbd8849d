"""The least that glrast.pytorch3d asks of meshes and cameras."""

from types import SimpleNamespace

import torch


class Meshes:
    def __init__(self, verts, faces):
        """Lists of [V,3] and [F,3]."""
        self.verts, self.faces = verts, faces

    def verts_packed(self):
        return torch.cat(self.verts)

    def verts_padded(self):
        return torch.nn.utils.rnn.pad_sequence(self.verts, batch_first=True)

    def faces_packed(self):
        before = [sum(len(v) for v in self.verts[:i]) for i in range(len(self.verts))]
        return torch.cat([f + b for f, b in zip(self.faces, before)])

    def mesh_to_faces_packed_first_idx(self):
        return torch.tensor([sum(len(f) for f in self.faces[:i]) for i in range(len(self.faces))])

    def num_faces_per_mesh(self):
        return torch.tensor([len(f) for f in self.faces])


class Camera:
    """World and view are one but for a step along z; x and y are divided by z where it has perspective."""

    def __init__(self, distance=3.0, focal=1.5, perspective=True, znear=None):
        self.distance, self.focal, self.perspective = distance, focal, perspective
        if znear is not None:
            self.znear = znear

    def is_perspective(self):
        return self.perspective

    def get_world_to_view_transform(self, **kwargs):
        step = torch.tensor([0.0, 0.0, self.distance])
        return SimpleNamespace(transform_points=lambda points, eps=None: points + step)

    def get_projection_transform(self, **kwargs):
        def project(points, eps=None):
            over = points[..., 2:] if self.perspective else 1.0
            return torch.cat([self.focal * points[..., :2] / over, 1 / points[..., 2:]], -1)

        return SimpleNamespace(transform_points=project)

    def get_ndc_camera_transform(self, **kwargs):
        return SimpleNamespace(transform_points=lambda points, eps=None: points)
