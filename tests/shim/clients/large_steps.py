"""A context for all, instanced views, a loss in the image, a solve on the CPU by SciPy; times by events."""

import nvdiffrast.torch as dr
import torch
from mesh import perspective, sphere, view, with_one

device = torch.device("cuda")
glctx = dr.RasterizeGLContext(device=device)
target, faces = sphere()
faces = faces.to(torch.int32)
views = torch.stack([perspective() @ view(a) for a in (0.0, 1.5, 3.0)])


def draw(vertices):
    clip = torch.matmul(with_one(vertices), views.transpose(1, 2)).contiguous()
    rast, _ = dr.rasterize(glctx, clip, faces, resolution=[48, 48])
    shade, _ = dr.interpolate(torch.nn.functional.normalize(vertices, dim=-1), rast, faces)
    shade = torch.where(rast[..., 3:] > 0, shade, torch.zeros(1, device=device))
    return dr.antialias(shade, rast, clip, faces)


with torch.no_grad():
    wanted = draw(target)
moving = (target * 0.8).clone().requires_grad_()
optimizer = torch.optim.Adam([moving], lr=1e-2)
start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
start.record()
losses = []
for _ in range(12):
    loss = (draw(moving) - wanted).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
end.record()
torch.cuda.synchronize()
assert start.elapsed_time(end) > 0 and losses[-1] < 0.7 * losses[0], losses
