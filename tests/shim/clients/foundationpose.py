"""A batch of poses of one mesh at once, y flipped in the projection, images flipped back, all .cuda().float()."""

import numpy as np
import nvdiffrast.torch as dr
import torch
from mesh import sphere, with_one

torch.set_default_tensor_type("torch.cuda.FloatTensor")
vertices, faces = sphere()
tensors = {
    "pos": vertices.cuda().float(),
    "faces": faces.cuda().int(),
    "colour": torch.rand(len(vertices), 3),
}
fx = fy = 60.0
K = np.array([[fx, 0, 32], [0, fy, 24], [0, 0, 1]])
W, H, near, far = 64, 48, 0.01, 100.0
projection = np.array(
    [
        [2 * fx / W, 0, 1 - 2 * K[0, 2] / W, 0],
        [0, 2 * fy / H, 2 * K[1, 2] / H - 1, 0],
        [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
        [0, 0, -1, 0],
    ]
)
cv_to_gl = np.diag([1.0, -1, -1, 1])
poses = torch.eye(4).repeat(5, 1, 1)
poses[:, 2, 3] = torch.linspace(2, 4, 5)
matrices = (
    torch.as_tensor(projection, device="cuda", dtype=torch.float)
    @ torch.as_tensor(cv_to_gl, dtype=torch.float).cuda()
    @ poses.cuda()
)
clip = (matrices[:, None] @ with_one(tensors["pos"])[None, ..., None])[..., 0]
rast, _ = dr.rasterize(
    dr.RasterizeCudaContext(), clip, tensors["faces"], resolution=np.asarray([H, W])
)
colour, _ = dr.interpolate(tensors["colour"], rast, tensors["faces"])
camera = (poses[:, None] @ with_one(tensors["pos"])[None, ..., None])[..., :3, 0]
xyz, _ = dr.interpolate(camera.contiguous(), rast, tensors["faces"])
depth = torch.flip(xyz[..., 2] * rast[..., -1].clamp(0, 1), dims=[1])
covered = [(d > 0).float().mean().item() for d in depth]
assert covered == sorted(covered, reverse=True) and covered[-1] > 0
torch.cuda.empty_cache()
torch.set_default_tensor_type("torch.FloatTensor")
