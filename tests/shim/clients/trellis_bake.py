"""Views drawn with uv once, kept, and a texture learned through them with a total variation."""

import numpy as np
import nvdiffrast.torch as dr
import torch
from mesh import perspective, sphere, view, with_one

vertices, faces = sphere()
vertices = torch.tensor(vertices.cpu().numpy()).cuda()
faces = torch.tensor(faces.cpu().numpy().astype(np.int32)).cuda()
uv = torch.rand(len(vertices), 2).cuda()
context = dr.RasterizeCudaContext(device="cuda")
kept = []
with torch.no_grad():
    for angle in (0.0, 2.0, 4.0):
        clip = (with_one(vertices) @ (perspective() @ view(angle)).T)[None]
        rast, db = dr.rasterize(context, clip, faces, (32, 32))
        kept.append(
            (
                *dr.interpolate(uv[None], rast, faces, rast_db=db, diff_attrs="all"),
                rast[0, ..., 3] > 0,
            )
        )
texture = torch.nn.Parameter(torch.zeros((1, 64, 64, 3), dtype=torch.float32).cuda())
optimizer = torch.optim.Adam([texture], betas=(0.5, 0.9), lr=1e-2)
wanted = torch.full((32, 32, 3), 0.5).cuda()
losses = []
for _ in range(20):
    optimizer.zero_grad()
    at, derivatives, mask = kept[np.random.randint(len(kept))]
    seen = dr.texture(texture, at, derivatives, max_mip_level=3)[0]
    tv = (texture[:, 1:] - texture[:, :-1]).abs().mean() + (
        texture[:, :, 1:] - texture[:, :, :-1]
    ).abs().mean()
    loss = (seen[mask] - wanted[mask]).abs().mean() + 1e-2 * tv
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
weights = torch.zeros(64 * 64).cuda()
index = (kept[0][0][0][kept[0][2]] * 63).long()
weights = weights.scatter_add(
    0, index[:, 0] + 64 * index[:, 1], torch.ones(len(index), device=weights.device)
)
assert losses[-1] < losses[0] and weights.sum() == kept[0][2].sum()
