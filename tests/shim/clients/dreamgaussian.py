"""A module that holds a context and parameters; offsets and albedo learned; poses from numpy."""

import numpy as np
import nvdiffrast.torch as dr
import torch
from mesh import perspective, sphere, view, with_one
from torch import nn


class Renderer(nn.Module):
    def __init__(self, force_cuda_rast):
        super().__init__()
        self.glctx = dr.RasterizeCudaContext() if force_cuda_rast else dr.RasterizeGLContext()
        self.v, self.f = sphere()
        self.f = self.f.int()
        self.vt = torch.rand(len(self.v), 2, device="cuda")
        self.offsets = nn.Parameter(torch.zeros_like(self.v))
        self.albedo = nn.Parameter(torch.randn(32, 32, 3, device="cuda"))

    def forward(self, pose, projection, h, w):
        v = self.v + self.offsets
        pose = torch.from_numpy(pose.astype(np.float32)).to(v.device)
        projection = torch.from_numpy(projection.astype(np.float32)).to(v.device)
        camera = torch.matmul(with_one(v), torch.inverse(pose).T).float().unsqueeze(0)
        clip = camera @ projection.T
        rast, db = dr.rasterize(self.glctx, clip, self.f, (h, w))
        alpha = (rast[0, ..., 3:] > 0).float()
        uv, uv_db = dr.interpolate(
            self.vt.unsqueeze(0).contiguous(), rast, self.f, rast_db=db, diff_attrs="all"
        )
        albedo = torch.sigmoid(
            dr.texture(
                self.albedo.unsqueeze(0), uv, uv_da=uv_db, filter_mode="linear-mipmap-linear"
            )
        )
        albedo = dr.antialias(albedo, rast, clip, self.f).squeeze(0)
        return alpha * albedo + (1 - alpha)


pose = torch.inverse(view()).cpu().numpy()
for force in (False, True):
    model = Renderer(force).to("cuda")
    scaler = torch.cuda.amp.GradScaler()
    optimizer = torch.optim.Adam(
        [{"params": model.albedo, "lr": 0.2}, {"params": model.offsets, "lr": 1e-4}]
    )
    losses = []
    for _ in range(5):
        with torch.autocast(device_type="cuda", dtype=torch.float16):
            loss = (model(pose, perspective().cpu().numpy(), 40, 40) - 0.2).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] and model.offsets.device.type == "cpu"
