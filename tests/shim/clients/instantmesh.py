"""Layers by a peeler, chunks of a batch, a background composed in, checkpoints onto 'cuda'; the plugin warmed up."""

import io

import nvdiffrast
import nvdiffrast.torch as dr
import torch
from mesh import perspective, sphere, view, with_one

dr.ops._get_plugin(gl=True)
assert nvdiffrast.__version__ == "0.4.0" and dr._get_plugin() is dr._cached_plugin[False]
network = torch.nn.Linear(3, 3).cuda()
saved = io.BytesIO()
torch.save(network.state_dict(), saved)
saved.seek(0)
network.load_state_dict(torch.load(saved, map_location="cuda", weights_only=True))
vertices, faces = sphere()
colour = network(vertices)
images = []
for chunk in torch.arange(4, device="cuda").split(2):
    clip = torch.stack([with_one(vertices) @ (perspective() @ view(float(a))).T for a in chunk])
    context = dr.RasterizeCudaContext(device=clip.device)
    with dr.DepthPeeler(context, clip, faces.int(), (24, 24)) as peeler:
        rast, db = peeler.rasterize_next_layer()
        behind, _ = peeler.rasterize_next_layer()
    assert (behind[..., 3] > 0).any()
    out, _ = dr.interpolate(colour[None], rast, faces.int())
    mask = (rast[..., 3:] > 0).float()
    out = torch.lerp(torch.ones_like(out), dr.antialias(out, rast, clip, faces.int()), mask)
    images.append(out)
torch.cat(images).square().mean().backward()
assert network.weight.grad.any()
