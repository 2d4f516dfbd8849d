"""A triangle drawn to warm up, alpha clamped from the id, an annotation with the context's class."""

import nvdiffrast.torch as dr
import torch
from mesh import perspective, sphere, view, with_one


class Normals:
    context: dr.RasterizeGLContext = None

    def __init__(self, size):
        self.context, self.size = dr.RasterizeGLContext(), size
        warm = torch.tensor(
            [[[-0.8, -0.8, 0, 1], [0.8, -0.8, 0, 1], [-0.8, 0.8, 0, 1]]], dtype=torch.float32, device="cuda"
        )  # fmt: skip
        dr.rasterize(
            self.context,
            warm,
            torch.tensor([[0, 1, 2]], dtype=torch.int32, device="cuda"),
            resolution=[256, 256],
        )

    def __call__(self, vertices, normals, faces, matrix):
        faces = faces.type(torch.int32)
        clip = with_one(vertices) @ matrix.transpose(-2, -1)
        rast, _ = dr.rasterize(self.context, clip, faces, resolution=self.size, grad_db=False)
        colour, _ = dr.interpolate((normals + 1) / 2, rast, faces)
        return dr.antialias(
            torch.concat((colour, rast[..., -1:].clamp(max=1)), -1), rast, clip, faces
        )


vertices, faces = sphere()
vertices.requires_grad_()
matrix = torch.stack([perspective() @ view(a) for a in (0.0, 2.0)])
image = Normals((40, 40))(vertices, torch.nn.functional.normalize(vertices, dim=1), faces, matrix)
image[..., 3].mean().backward()
assert image.shape == (2, 40, 40, 4) and vertices.grad.abs().sum() > 0
assert 0 <= image[..., 3].min() and image[..., 3].max() <= 1
