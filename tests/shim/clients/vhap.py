"""A topology of uv apart from that of positions; a texture with mipmaps; rows flipped; range mode."""

import nvdiffrast.torch as dr
import torch
from mesh import perspective, sphere, view, with_one

vertices, faces = sphere()
faces = faces.int()
uv, uv_faces = (
    torch.rand(50, 2, device="cuda"),
    torch.randint(0, 50, faces.shape, device="cuda").int(),
)
clip = torch.stack([with_one(vertices) @ (perspective() @ view(a)).T for a in (0.0, 1.0)])
glctx = dr.RasterizeGLContext(output_db=True, mode="automatic", device=clip.device)
assert (
    glctx.mode == "automatic"
    and glctx.active_depth_peeler is None
    and glctx.cpp_wrapper is not None
)
rast, db = dr.rasterize(glctx, clip, faces, [36, 28])
at, derivatives = dr.interpolate(uv[None], rast, uv_faces, rast_db=db, diff_attrs="all")
texture = torch.rand(1, 3, 32, 32, device="cuda", requires_grad=True)
colour = dr.texture(
    texture.permute(0, 2, 3, 1).contiguous(),
    at,
    derivatives,
    filter_mode="linear-mipmap-linear",
    max_mip_level=4,
)
image = dr.antialias(colour, rast, clip, faces, pos_gradient_boost=3.0).flip(1).permute(0, 3, 1, 2)
image.mean().backward()
count = torch.tensor(
    [[0, len(faces) // 2], [len(faces) // 2, len(faces) - len(faces) // 2]], dtype=torch.int32
)
halves, _ = dr.rasterize(glctx, clip[0], faces, [36, 28], ranges=count)
assert image.shape == (2, 3, 36, 28) and texture.grad.any() and (halves[..., 3] > 0).any()
