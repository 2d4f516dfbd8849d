"""A mesh from one picture: a network learns shape and colour from pictures alone, by drawing what it believes.

You will see: airplanes, chairs, mugs and tables that it has never seen: the picture it gets, the truth from two other
sides, and the mesh that it makes of the picture. Prints how well masks and voxels overlap, untrained and trained. Takes
about two minutes of one core; --compare, with the answers to the discontinuity problem side by side, twenty minutes.
Change first: --methods softras, or others of glrast.visibility.NAMES; --iterations 2000.
After Kato et al. 2018, "Neural 3D Mesh Renderer", and Liu et al. 2019, "Soft Rasterizer": docs/single_view.md.
"""

import argparse
import time
from pathlib import Path

import torch
from single_view.compare import MEAN, UNTRAINED, compare
from single_view.network import Reconstruction
from single_view.objects import FAMILIES
from single_view.pictures import BACKGROUND, photograph

import glrast
from glrast import losses
from glrast.clip import transform_points

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--methods", nargs="+", default=["antialias"], help="of visibility.NAMES")
parser.add_argument("--compare", action="store_true", help="the table of docs/single_view.md")
parser.add_argument("--seeds", type=int, default=1, help="of --compare")
parser.add_argument("--resolution", type=int, default=64, help="a multiple of 8")
parser.add_argument("--objects", type=int, default=250, help="of each family, to learn from")
parser.add_argument("--iterations", type=int, default=250)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--out", type=Path, default=Path("out"))
args = parser.parse_args()
R, VIEWS = args.resolution, 8
# The paper's softness, and enough faces for a mesh whose triangles are as small as pixels.
OPTIONS = {"softras": {"sigma_ndc": 1e-4, "color": "over", "faces_per_pixel": 12, "cull": "back"}}

ctx = glrast.Context("cpu")
pictures = photograph(ctx, range(args.objects), VIEWS, R, cameras=1)
fresh = range(10**6, 10**6 + min(16, args.objects))  # objects that it never sees
held_out = photograph(ctx, fresh, 5, R, cameras=2)


# The loss of what objects [B] look like from two views [B,2], believed from the first alone.
def loss_of(net, method, object, view):
    pos, color = net(net.given(pictures, object, view[:, 0]))
    both, view = object.repeat_interleave(2), view.flatten()
    colors, target = color.repeat_interleave(2, 0), pictures.image(both, view)

    def shade(rast, rast_db, tri):
        return glrast.interpolate(colors, rast, tri)[0]

    pos_clip = transform_points(pictures.matrix[both, view], pos.repeat_interleave(2, 0))
    image = glrast.visibility.render(
        method, ctx, pos_clip, net.tri, shade, (R, R), torch.tensor(BACKGROUND), alpha=True, **OPTIONS.get(method, {})
    )  # fmt: skip
    loss = losses.iou_loss(image[..., 3:], target[..., 3:])
    loss = loss + losses.l1_loss(image[..., :3], target[..., :3])
    loss = loss + 0.02 * losses.mesh_normal_consistency(pos, net.tri, squared=True)
    return loss + 0.2 * losses.mesh_laplacian_smoothing(pos, net.tri, squared=True)


def train(method, seed):
    torch.manual_seed(seed)
    net = Reconstruction(R, families=len(FAMILIES) if method == MEAN else None)
    optimizer, steps = torch.optim.Adam(net.parameters(), 1e-3), args.iterations
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, steps, pct_start=0.1)
    start = time.process_time()
    for _ in range(0 if method == UNTRAINED else steps):
        object = torch.randint(len(pictures.family), (args.batch,))
        view = torch.rand(args.batch, VIEWS).argsort(1)[:, :2]
        optimizer.zero_grad()
        loss_of(net, "antialias" if method == MEAN else method, object, view).backward()
        optimizer.step()
        schedule.step()
    return net, time.process_time() - start


words = f"{args.iterations} iterations of {args.batch} pairs, {args.objects} objects of each family, {R} x {R}"
methods = [] if args.compare else args.methods
picture = compare(ctx, train, methods, args.seeds, held_out, args.out, words)
print(f"wrote {picture}")
