"""A grid of signed distances on the default device, a compiled helper of TorchScript, depth and normals of faces."""

import nvdiffrast.torch as dr
import torch
from mesh import perspective, sphere, view, with_one

torch.set_default_device("cuda")


@torch.jit.script
def dot(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.sum(x * y, -1, keepdim=True) + torch.zeros_like(x[..., :1])


grid = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, 9)] * 3, indexing="ij"), -1)
sdf = torch.nn.Parameter(grid.norm(dim=-1) - 0.5 + 0.01 * torch.rand(9, 9, 9, device="cuda"))
glctx = dr.RasterizeCudaContext()
vertices, faces = sphere()
clip = (with_one(vertices) @ (perspective() @ view()).T)[None]
rast, db = dr.rasterize(glctx, clip, faces.int(), (32, 32))
corners = vertices[faces]
normal = torch.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], dim=-1)
normal = normal / dot(normal, normal).clamp(min=1e-20).sqrt()
each = torch.arange(len(faces) * 3, dtype=torch.int32).reshape(-1, 3)
seen, _ = dr.interpolate(normal.repeat_interleave(3, 0)[None], rast, each)
depth, _ = dr.interpolate(
    -(with_one(vertices) @ view().T)[None, :, 2:3].contiguous(), rast, faces.int()
)
mask = (rast[..., 3:] > 0).float()
assert (
    sdf.device.type == "cpu"
    and (depth[mask > 0] > 1.5).all()
    and (seen * mask).norm(dim=-1).max() < 1.001
)
torch.set_default_device(None)
