"""The image estimators against the published programs' own form, pixel by pixel in numpy, on triangles in perspective.

The float64 twins say what an estimator is the derivative of; here stand the rules as they are published: from the
image's top, with unit normals, with gaps where differences are not to be taken. What pixels show is rasterize's.
"""

import numpy as np
import pytest
import torch

import glrast
from glrast.visibility import dirt, edge_grad, opendr, rasterize_then_splat
from tests import scenes
from tests.ops.compare import random, relative_error
from tests.reference.rasterize import triangle_id
from tests.reference.visibility import dirt as dirt_twin
from tests.reference.visibility import edge_grad as edge_grad_twin
from tests.reference.visibility import opendr as opendr_twin
from tests.visibility.estimators import gradients, shade

ROUNDING = 2e-5  # of float32 sums over an image
MESHES = {
    "polygons": lambda: scenes.overlapping_polygons(scenes.ODD, seed=3),
    "mesh": lambda: scenes.closed_mesh(1, images=2),
}


@pytest.fixture
def context(device):
    return glrast.Context(device)


each_mesh = pytest.mark.parametrize("name", MESHES)


class Seen:
    """A shaded scene in numpy: colours, ids, weights and clip positions of one image."""

    def __init__(self, shaded, y, n):
        color, rast, pos, tri = (t.detach().cpu() for t in shaded)
        self.color, self.y = color[n].double().numpy(), y[n].double().numpy()
        self.ids = triangle_id(rast)[n].numpy()
        u, v = rast[n, ..., 0].double(), rast[n, ..., 1].double()
        self.b = torch.stack([u, v, 1 - u - v], -1).numpy()
        self.pos = (pos[n] if pos.ndim == 3 else pos).double().numpy()
        self.tri = tri.long().numpy()
        self.H, self.W = self.ids.shape

    def corners(self, y, x):
        return self.pos[self.tri[self.ids[y, x]]]


def found_and_wanted(context, name, estimator, rule, fragile, **how):
    """`fragile` pixels, where rounding rightly decides otherwise, are not looked at."""
    shaded = shade(context, MESHES[name]())
    unsure = fragile(*(t.detach().cpu() for t in shaded))
    assert unsure.float().mean() < 0.5  # polygons: triangles of one depth side by side
    y = random(*shaded[0].shape, seed=7) * ~unsure[..., None]
    _, _, grad = gradients(estimator, *shaded, y, **how)
    wanted = np.zeros(grad.shape)
    images = wanted if wanted.ndim == 3 else wanted[None]
    for n in range(len(y)):
        rule(Seen(shaded, y, n), images[n if len(images) > 1 else 0])
    return grad.cpu(), torch.from_numpy(wanted)


# ---- DIRT ------------------------------------------------------------------------------------------------


def dirt_rule(s: Seen, grad):
    """The published kernel: rows from the top, negative offsets minus positive ones, occluders dilated by one pixel."""
    H, W = s.H, s.W
    depth = np.full((H, W), np.inf)
    for y, x in zip(*np.nonzero(s.ids >= 0)):
        depth[y, x] = s.b[y, x] @ s.corners(y, x)[:, 3]
    for top in range(H):
        for x in range(W):
            row = H - 1 - top

            def at(dx, dy, row=row, x=x):
                return s.color[min(max(row + dy, 0), H - 1), min(max(x + dx, 0), W - 1)]

            sx = (at(-1, -1) + at(-1, 1) - at(1, -1) - at(1, 1)) * 3 / 32 + (
                at(-1, 0) - at(1, 0)
            ) * 10 / 32
            sy = (at(-1, -1) + at(1, -1) - at(-1, 1) - at(1, 1)) * 3 / 32 + (
                at(0, -1) - at(0, 1)
            ) * 10 / 32
            py, px = row, x
            if 0 < x < W - 1 and 0 < top < H - 1:
                step = np.array([0, 1] if np.abs(sx).sum() > np.abs(sy).sum() else [1, 0])
                for sign in (-1, 1) if (x + top) % 2 == 1 else (1, -1):
                    oy, ox = np.array([row, x]) + sign * step
                    nearer = s.ids[oy, ox] >= 0 and s.ids[oy, ox] != s.ids[row, x]
                    if nearer and depth[row, x] > depth[oy, ox]:
                        py, px = oy, ox
                        break
            if s.ids[py, px] < 0:
                continue
            b, v = s.b[py, px], s.tri[s.ids[py, px]]
            clip = b @ s.pos[v]
            gx, gy = (s.y[row, x] * sx).sum(), (s.y[row, x] * sy).sum()
            grad[v, 0] += b * gx * W / 2 / clip[3]
            grad[v, 1] += b * gy * H / 2 / clip[3]
            grad[v, 3] -= b * (gx * W / 2 * clip[0] + gy * H / 2 * clip[1]) / clip[3] ** 2


@each_mesh
def test_dirt_is_its_published_kernel(context, name):
    found, wanted = found_and_wanted(context, name, dirt, dirt_rule, dirt_twin.fragile_pixels)
    assert relative_error(found, wanted) < ROUNDING


# ---- OpenDR ----------------------------------------------------------------------------------------------


def slopes(image, boundary):
    """dI/dy and dI/dx as published: gaps at boundaries, means of what is left, else twice the central difference."""
    known = np.where(boundary[..., None], np.nan, image)
    found = []
    for axis in (0, 1):
        step = np.moveaxis(np.diff(known, axis=axis), axis, 0)
        both = np.stack([step[1:], step[:-1]])
        count = (~np.isnan(both)).sum(0)
        middle = np.where(count > 0, np.nansum(both, 0) / np.maximum(count, 1), np.nan)
        slope = np.moveaxis(np.concatenate([step[:1], middle, step[-1:]]), 0, axis)
        central = 2 * np.gradient(image, axis=axis)
        found.append(np.where(np.isnan(slope), central, slope))
    return found


@each_mesh
@pytest.mark.parametrize("overdraw", [True, False])
def test_opendr_is_its_published_filters(context, name, overdraw):
    color, rast, pos, tri = shaded = shade(context, MESHES[name]())
    boundary = opendr_twin.boundaries(rast.cpu(), pos.cpu(), tri.cpu())[0].numpy()
    y = random(*color.shape, seed=7)
    if overdraw:  # boundary pixels are those of an edge; what is left are the pixels' own
        y = y * torch.from_numpy(~boundary)[..., None]
    _, _, found = gradients(opendr, *shaded, y, overdraw=overdraw)
    wanted = np.zeros(found.shape)
    images = wanted if wanted.ndim == 3 else wanted[None]
    for n in range(len(y)):
        s = Seen(shaded, y, n)
        if overdraw:
            dy, dx = slopes(s.color, boundary[n])
        else:
            dy, dx = np.gradient(s.color, axis=(0, 1))
        for row, x in zip(*np.nonzero(s.ids >= 0)):
            b, v = s.b[row, x], s.tri[s.ids[row, x]]
            w, xy = s.pos[v, 3], s.pos[v, :2] / s.pos[v, 3:]
            gx = -b * (s.y[row, x] * dx[row, x]).sum() * s.W / 2 / w
            gy = -b * (s.y[row, x] * dy[row, x]).sum() * s.H / 2 / w
            images[n][v, 0] += gx
            images[n][v, 1] += gy
            images[n][v, 3] -= gx * xy[:, 0] + gy * xy[:, 1]
    assert relative_error(found, torch.from_numpy(wanted)) < ROUNDING


def test_a_boundary_is_where_a_line_of_one_pixel_is_drawn(context):
    """OpenGL's lines, by which the published program finds boundaries: in each row (flat edges: column) the pixel that
    the edge passes. Corners aside, where a line begins and ends within a pixel."""
    corners = np.array([[4.3, 2.6], [27.8, 5.2], [12.4, 14.7]])
    W, H = scenes.ODD[::-1]
    pos = torch.ones(1, 3, 4)
    pos[0, :, :2] = torch.from_numpy(corners * 2 / [W, H] - 1)
    pos[0, :, 2] = 0
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    rast, _ = glrast.rasterize(context, pos.to(context.device), tri.to(context.device), scenes.ODD)
    found = opendr_twin.boundaries(rast.cpu(), pos, tri)[0][0].numpy()
    drawn, unsure = np.zeros((H, W), bool), np.zeros((H, W), bool)
    for k in range(3):
        p, q = corners[k], corners[(k + 1) % 3]
        flat = int(abs(q[0] - p[0]) < abs(q[1] - p[1]))  # the axis that is walked along
        low, high = sorted((p[flat], q[flat]))
        for i in range(int(np.ceil(low - 0.5)), int(np.floor(high - 0.5)) + 1):
            along = i + 0.5
            across = p[1 - flat] + (along - p[flat]) * (q - p)[1 - flat] / (q - p)[flat]
            drawn[(i, int(across)) if flat else (int(across), i)] = True
    for x, y in corners:
        unsure[int(y) - 1 : int(y) + 2, int(x) - 2 : int(x) + 3] = True
    assert drawn.sum() > 40 and np.array_equal(found & ~unsure, drawn & ~unsure)


# ---- EdgeGrad --------------------------------------------------------------------------------------------


def lies_in(corners, x, y):
    """Edge functions in pixels, all of one sign."""
    d = np.roll(corners, -1, 0) - corners
    e = d[:, 0] * (y - corners[:, 1]) - d[:, 1] * (x - corners[:, 0])
    return (e >= 0).all() or (e <= 0).all()


def unit(v):
    return v / np.linalg.norm(v)


def edge_grad_rule(s: Seen, grad, depth=3):
    """The published kernel: x, y in pixels and depth w (z: 2); two pairs of each pixel; normals where planes meet."""
    flat = (s.pos[:, :2] / s.pos[:, 3:] + 1) * [s.W / 2, s.H / 2] - 0.5
    places = np.concatenate([flat, s.pos[:, depth : depth + 1]], 1)
    moved = np.zeros((s.H, s.W, 3))  # d loss / d (x, y, depth) of the point that a pixel shows
    for y in range(s.H):
        for x in range(s.W):
            for axis, (oy, ox) in enumerate(((y, x + 1), (y + 1, x))):
                if ox >= s.W or oy >= s.H or s.ids[y, x] == s.ids[oy, ox]:
                    continue
                G = ((s.color[oy, ox] - s.color[y, x]) * 0.5 * (s.y[oy, ox] + s.y[y, x])).sum()
                here, there = s.ids[y, x] >= 0, s.ids[oy, ox] >= 0
                own, other = (places[s.tri[s.ids[a]]] for a in ((y, x), (oy, ox)))
                A = here and there and lies_in(other[:, :2], x, y)
                B = here and there and lies_in(own[:, :2], ox, oy)
                if A and B:
                    planes = [np.cross(t[0] - t[2], t[1] - t[0]) for t in (own, other)]
                    planes = [unit(unit(p)[[axis, 2]]) for p in planes]
                    for varying, fixed, at in ((*planes, (y, x)), (*planes[::-1], (oy, ox))):
                        b = np.array([-fixed[1], fixed[0]])
                        by = b[0] / (b @ varying) * varying
                        moved[at][axis] -= G * by[0]
                        moved[at][2] -= G * by[1 if axis == 0 else 0]
                    continue
                shared = here and there and not A and not B
                if here and not B and not shared:
                    moved[y, x, axis] -= G
                if there and not A and not shared:
                    moved[oy, ox, axis] -= G
    for y, x in zip(*np.nonzero(moved.any(-1) & (s.ids >= 0))):
        b, v = s.b[y, x], s.tri[s.ids[y, x]]
        w, xy = s.pos[v, 3], s.pos[v, :2] / s.pos[v, 3:]
        gx, gy = (b * moved[y, x, i] * size / 2 / w for i, size in ((0, s.W), (1, s.H)))
        grad[v, 0] += gx
        grad[v, 1] += gy
        grad[v, 3] += b * moved[y, x, 2] - gx * xy[:, 0] - gy * xy[:, 1]


def edges_twin(color, rast, pos, tri):
    return edge_grad_twin.fragile_pixels(rast, pos, tri)


def crossing_planes():
    """Several triangles through each other, in perspective."""
    random_ = torch.Generator().manual_seed(4)
    xy = 1.6 * torch.rand(15, 2, generator=random_) - 0.8
    w = 2 + 3 * torch.rand(15, 1, generator=random_)
    pos = torch.cat([xy * w, 1.02 * w - 0.4, w], 1)[None]
    tri = torch.arange(15, dtype=torch.int32).reshape(5, 3)
    return scenes.Scene(pos, tri, torch.rand(15, 3, generator=random_))


MESHES["crossing"] = crossing_planes


@pytest.mark.parametrize("name", ["polygons", "mesh", "crossing"])
def test_edge_grad_is_its_published_kernel(context, name):
    found, wanted = found_and_wanted(
        context, name, edge_grad, edge_grad_rule, edges_twin, units="published"
    )
    assert relative_error(found, wanted) < 1e-4


def test_edge_grad_in_one_unit_is_the_published_kernel_where_w_is_1(context):
    """Without perspective z/w is affine in the image, in the units of its gradient: x and y get what is published."""
    scene = crossing_planes()
    flat = (scene.pos / scene.pos[..., 3:]).contiguous()
    shaded = shade(context, scene._replace(pos=flat))
    y = random(*shaded[0].shape, seed=7)
    _, _, found = gradients(edge_grad, *shaded, y)
    wanted = np.zeros(flat.shape)
    edge_grad_rule(Seen(shaded, y, 0), wanted[0], depth=2)
    assert relative_error(found[..., :2], torch.from_numpy(wanted[..., :2])) < 2e-3


# ---- rasterize-then-splat --------------------------------------------------------------------------------


def test_splats_pull_a_triangle_to_its_target_as_in_the_published_test(context):
    """15 steps of gradient descent from an eighth of the image aside: the loss falls by half."""
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32, device=context.device)
    green = torch.tensor([0.0, 0.8, 0.0], device=context.device)

    def clip(rows):
        return torch.tensor([[(*row, 0.0, 1.0) for row in rows]], device=context.device)

    def draw(pos):
        rast, _ = glrast.rasterize(context, pos, tri, (32, 32), cull="back")
        shown = (rast[..., 3:] > 0).float()
        return rast, shown * green, shown

    pos = clip([(0, 0), (0.5, 0), (0.5, 0.5)])
    _, color, alpha = draw(clip([(-0.25, 0), (0.25, 0), (0.25, 0.5)]))
    target = torch.cat([color, alpha], -1)
    losses = []
    for _ in range(16):
        pos = pos.detach().requires_grad_()
        rast, color, _ = draw(pos)
        loss = (rasterize_then_splat([rast], [color], pos, tri) - target).square().mean()
        losses.append(loss.item())
        (grad,) = torch.autograd.grad(loss, pos)
        assert losses[1:] or grad.norm() > 0.01
        pos = torch.cat([pos[..., :3] - grad[..., :3], pos[..., 3:]], -1)
    assert losses[-1] < 0.5 * losses[0]
