"""The float64 twin of glrast.pytorch3d.rasterize_meshes: PyTorch3D's rules, every face at every pixel, with autograd.

In its own coordinates: pixel (row, column) from the top left, NDC with +X left and +Y up, the shorter side in [-1,1].
Twice a face's area is the edge function of its corners; barycentrics are quotients of edge functions; with perspective
they are divided by z. A face that z_clip cuts becomes one or two triangles; of two the nearer counts.
"""

import torch
from torch import Tensor

SMALLEST = 1e-8


def rasterize_meshes(
    verts: Tensor, faces: Tensor, first, count, image_size, blur_radius=0.0, faces_per_pixel=8, perspective=False,
    clip=False, cull_backfaces=False, z_clip=None,
):  # fmt: skip
    """(pix_to_face, zbuf, bary_coords, dists), each [N,H,W,K(,3)]; where rounding decides the order, bool [N,H,W].

    Gradients: verts, from the three that are numbers.
    """
    images = []
    for a, n in zip(first, count):
        triangles = []  # (face, corners [3,3], shares [3,3], number of its other half)
        for f in range(a, a + n):
            triangles += split(verts[faces[f].long()], f, len(triangles), z_clip, perspective)
        options = blur_radius, faces_per_pixel, perspective, clip, cull_backfaces
        images.append(image(triangles, image_size, *options))
    return tuple(torch.stack(parts) for parts in zip(*images))


def split(corners, face: int, place: int, z_clip, perspective) -> list:
    eye = torch.eye(3, dtype=torch.float64)
    behind = [] if z_clip is None else [k for k in range(3) if corners[k, 2] < z_clip]
    if not behind:
        return [(face, corners, eye, -1)]
    if len(behind) == 3:
        return []
    lone = behind[0] if len(behind) == 1 else next(k for k in range(3) if k not in behind)
    a, b, c = lone, (lone + 1) % 3, (lone + 2) % 3

    def crossing(p, q):
        t = (z_clip - corners[p, 2]) / (corners[q, 2] - corners[p, 2])
        if perspective:
            space = [torch.cat([corners[k, :2] * corners[k, 2], corners[k, 2:]]) for k in (p, q)]
            at = space[0] + t * (space[1] - space[0])
            at = torch.cat([at[:2] / at[2], at[2:]])
        else:
            at = corners[p] + t * (corners[q] - corners[p])
        return at, (1 - t) * eye[p] + t * eye[q]

    (ab, s_ab), (ac, s_ac) = crossing(a, b), crossing(a, c)
    if len(behind) == 2:
        return [(face, torch.stack([corners[a], ab, ac]), torch.stack([eye[a], s_ab, s_ac]), -1)]
    one = torch.stack([ab, corners[b], ac]), torch.stack([s_ab, eye[b], s_ac])
    two = torch.stack([ac, corners[b], corners[c]]), torch.stack([s_ac, eye[b], eye[c]])
    return [(face, *one, place + 1), (face, *two, place)]


def edge(p, a, b):
    return (p[..., 0] - a[0]) * (b[1] - a[1]) - (p[..., 1] - a[1]) * (b[0] - a[0])


def to_segment(p, a, b):
    along = b - a
    t = ((p - a) @ along / (along @ along)).clamp(0, 1)
    return (p - a - t[:, None] * along).square().sum(1)


def look(corners, at, perspective, clip, blur, cull):
    """(counts, z, bary, dist) of a triangle at points [P,2], or None."""
    xy, z = corners[:, :2], corners[:, 2]
    area = edge(xy[2], xy[0], xy[1])
    back = -edge(xy[0], xy[1], xy[2]) > 0
    if area.abs() <= SMALLEST or z.min() < SMALLEST or (cull and back):
        return None
    bary = torch.stack([edge(at, xy[(k + 1) % 3], xy[(k + 2) % 3]) for k in range(3)], 1) / area
    there = torch.ones(len(at), dtype=torch.bool)
    inside = (bary > 0).all(1)
    if perspective:
        bary = bary / z
        horizon = bary.detach().sum(1) <= 0
        there = ~horizon | torch.tensor(clip)
        if not clip:
            bary = bary / bary.sum(1, keepdim=True)
    if clip:
        positive = bary.clamp(min=0)
        bary = positive / positive.sum(1, keepdim=True)
    depth = bary @ z
    dist = torch.stack([to_segment(at, xy[k], xy[(k + 1) % 3]) for k in range(3)], 1).amin(1)
    counts = (inside | (dist.detach() < blur)) & (depth.detach() >= 0) & there
    return counts, depth, bary, torch.where(inside, -dist, dist)


def image(triangles, image_size, blur, K, perspective, clip, cull):
    height, width = image_size
    shorter = min(height, width)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    at = torch.stack([(width - 2 * x - 1) / shorter, (height - 2 * y - 1) / shorter], -1)
    at = at.reshape(-1, 2).double()
    looked = [look(corners, at, perspective, clip, blur, cull) for _, corners, _, _ in triangles]
    out = [-torch.ones(len(at), K, *more, dtype=torch.float64) for more in ((), (), (3,), ())]
    rows = [list(t) for t in out]
    doubtful = torch.zeros(len(at), dtype=torch.bool)
    for p in range(len(at)):
        chosen: list[int] = []
        for t, (_, _, _, other) in enumerate(triangles):
            if looked[t] is None or not looked[t][0][p]:
                continue
            if other in chosen:
                mine, theirs = looked[t][3][p].item(), looked[other][3][p].item()
                same = (
                    abs(abs(mine) - abs(theirs)) < 1e-9
                )  # where they meet: the one with the pixel inside
                if (mine < 0 < theirs) if same else abs(mine) < abs(theirs):
                    chosen[chosen.index(other)] = t
                continue
            chosen = sorted([*chosen, t], key=lambda i: (looked[i][1][p].item(), i))[:K]
        depths = sorted(f[1][p].item() for f in looked if f is not None and f[0][p])
        # clipped to one corner, two faces have the same depth
        doubtful[p] = any(b - a < 1e-5 * (1 + b) for a, b in zip(depths, depths[1:]))
        chosen.sort(key=lambda i: (looked[i][1][p].item(), i))
        for which, row in enumerate(rows):
            values = [_value(triangles[t], looked[t], which, p) for t in chosen]
            row[p] = torch.cat([torch.stack(values), row[p][len(values) :]]) if values else row[p]
    stacked = [torch.stack(row).reshape(height, width, *row[0].shape) for row in rows]
    return stacked[0].long(), *stacked[1:], doubtful.reshape(height, width)


def _value(triangle, looked, which: int, p: int):
    if which == 0:
        return torch.tensor(float(triangle[0]), dtype=torch.float64)
    if which == 2:
        return looked[2][p] @ triangle[2]
    return looked[which][p]
