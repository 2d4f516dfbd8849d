"""A wrapper that picks the context by a word, casts what it hands on, and is drawn on the rank's device."""

import nvdiffrast.torch as dr
import torch
from mesh import perspective, sphere, view

rank = 0
device = torch.device(f"cuda:{rank}")
torch.cuda.set_device(device)


class Rasterizer:
    def __init__(self, kind: str, device: torch.device) -> None:
        self.ctx: dr.RasterizeGLContext | dr.RasterizeCudaContext
        self.ctx = {"gl": dr.RasterizeGLContext, "cuda": dr.RasterizeCudaContext}[kind](
            device=device
        )

    def rasterize(self, pos, tri, resolution):
        return dr.rasterize(self.ctx, pos.float(), tri.int(), resolution, grad_db=True)

    def antialias(self, colour, rast, pos, tri):
        return dr.antialias(colour.float(), rast, pos.float(), tri.int())


vertices, faces = sphere()
matrices = torch.stack([perspective() @ view(a) for a in (0.0, 1.0)])
positions = torch.matmul(
    torch.cat([vertices, torch.ones([len(vertices), 1]).to(vertices)], -1),
    matrices.permute(0, 2, 1),
)
pictures = []
for kind in ("gl", "cuda"):
    rasterizer = Rasterizer(kind, device)
    rast, _ = rasterizer.rasterize(positions, faces, (24, 24))
    mask = rast[..., 3:] > 0
    pictures.append(rasterizer.antialias(mask.float(), rast, positions, faces))
generator = torch.Generator(device=device).manual_seed(0)
noise = torch.randn(pictures[0].shape, generator=generator, device=device)
assert torch.equal(*pictures) and (pictures[0] + noise).isfinite().all()
assert torch.cuda.memory_allocated(device) > 0 and torch.cuda.get_device_name(rank) == "CPU"
