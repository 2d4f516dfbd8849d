"""Depth and mask antialiased, supersampled and scaled down, an empty mesh drawn as nothing."""

import nvdiffrast.torch as dr
import torch
import torch.nn.functional as F
from mesh import perspective, sphere, view, with_one


class Renderer:
    def __init__(self, size, ssaa, device="cuda"):
        self.size, self.ssaa, self.device = size, ssaa, device
        self.glctx = dr.RasterizeCudaContext(device=device)

    def __call__(self, vertices, faces, camera, projection):
        full = (projection @ camera).unsqueeze(0)
        homogeneous = with_one(vertices.unsqueeze(0))
        clip = torch.bmm(homogeneous, full.transpose(-1, -2))
        seen = torch.bmm(homogeneous, camera.unsqueeze(0).transpose(-1, -2))
        size = self.size * self.ssaa
        rast, _ = dr.rasterize(self.glctx, clip, faces.int(), (size, size))
        out = {"mask": dr.antialias((rast[..., -1:] > 0).float(), rast, clip, faces.int())}
        depth = dr.interpolate(seen[..., 2:3].contiguous(), rast, faces.int())[0]
        out["depth"] = dr.antialias(depth, rast, clip, faces.int())
        return {
            name: F.interpolate(
                x.permute(0, 3, 1, 2), (self.size, self.size), mode="bilinear", align_corners=False, antialias=True
            ).squeeze()
            for name, x in out.items()
        }  # fmt: skip


vertices, faces = sphere()
out = Renderer(32, 2)(vertices, faces, view(), perspective())
assert (
    out["mask"].shape == (32, 32) and 0.1 < out["mask"].mean() < 0.9 and out["depth"].min() < -1.5
)
none = Renderer(16, 1)(vertices, faces[:0], view(), perspective())
assert not none["mask"].any()
