"""rasterize_meshes and MeshRasterizer: known by hand, its rules in float64, its defaults, what it drops."""

import pytest
import torch

import glrast
from glrast.pytorch3d import MeshRasterizer, RasterizationSettings, rasterize_meshes
from tests.ops.compare import Limits, check_gradient, close
from tests.pytorch3d.standins import Camera, Meshes
from tests.reference import pytorch3d as twin

SIZES = [(8, 8), (7, 12), (11, 6)]
GRADIENT = Limits(l2=5e-5, cosine=1e-9, bias=2e-5)  # float32 sums; measured 2e-6
# of corners: upper left in the image, since +X is left and +Y up
LEFT = torch.tensor([[0.9, 0.9, 1.0], [0.9, 0.1, 1.0], [0.1, 0.9, 1.0]])


def on(device, verts, faces=None):
    faces = torch.arange(len(verts)).reshape(-1, 3) if faces is None else faces
    return Meshes([verts.to(device)], [faces.to(device)])


def test_left_is_plus_x_and_the_first_row_is_the_top(device):
    pix_to_face, zbuf, bary, dists = rasterize_meshes(on(device, LEFT), 16, faces_per_pixel=1)
    assert pix_to_face.dtype == torch.int64 and bary.shape == (1, 16, 16, 1, 3)
    seen = torch.nonzero(pix_to_face[0, ..., 0] == 0)
    assert len(seen) > 10 and (seen < 8).all()
    close(zbuf[0, 2, 2, 0], torch.tensor(1.0), 1e-6)
    # the centre of pixel 1 is 3/16 from the border at 1: 0.9 - 13/16 from the edge
    assert dists[0, 4, 1, 0].item() == pytest.approx(-((0.9 - 13 / 16) ** 2), rel=1e-4)
    for t in (zbuf, bary, dists):
        assert (t[pix_to_face < 0] == -1).all()


def test_the_shorter_side_spans_one_to_minus_one(device):
    square = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)]
    verts = torch.tensor([(*p, 2.0) for p in square])
    pix_to_face, *_ = rasterize_meshes(on(device, verts), (8, 20), faces_per_pixel=1)
    covered = (pix_to_face[0, ..., 0] >= 0).any(0)
    assert torch.equal(torch.nonzero(covered)[:, 0].cpu(), torch.arange(6, 14))


def test_blur_radius_is_a_squared_distance(device):
    far = 0.3
    _, _, _, dists = rasterize_meshes(on(device, LEFT), 64, blur_radius=far**2, faces_per_pixel=1)
    assert 0.28**2 < dists.max().item() < far**2


def scene(seed: int):
    random = torch.Generator().manual_seed(seed)
    verts, faces = [], []
    for _ in range(1 + seed % 2):
        v = torch.rand(9, 3, generator=random)
        v = torch.cat([2.4 * v[:, :2] - 1.2, 0.3 + 2 * v[:, 2:]], 1)
        if seed % 3 == 0:
            v[::4, 2] -= 0.8  # some behind the camera
        verts.append(v)
        faces.append(torch.randint(0, 9, (6, 3), generator=random))
    options = dict(
        blur_radius=(0.0, 0.04, 0.2)[seed % 3], faces_per_pixel=(1, 2, 6)[seed // 2 % 3],
        cull_backfaces=seed % 4 == 3,
    )  # fmt: skip
    return verts, faces, options, seed % 2 == 0, seed % 5 != 1, (None, 0.5)[seed // 3 % 2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_random_meshes_follow_its_rules(device, seed):
    verts, faces, options, perspective, clip, z_clip = scene(seed)
    size = SIZES[seed % 3]
    mine = [v.clone().to(device).requires_grad_() for v in verts]
    meshes = Meshes(mine, [f.to(device) for f in faces])
    found = rasterize_meshes(
        meshes, size, perspective_correct=perspective, clip_barycentric_coords=clip, z_clip_value=z_clip, **options
    )  # fmt: skip
    theirs = [v.double().requires_grad_() for v in verts]
    whole = Meshes(theirs, faces)
    first, count = whole.mesh_to_faces_packed_first_idx().tolist(), [len(f) for f in faces]
    wanted = twin.rasterize_meshes(
        whole.verts_packed(), whole.faces_packed(), first, count, size, perspective=perspective, clip=clip,
        z_clip=z_clip, **options,
    )  # fmt: skip
    same = (found[0].cpu() == wanted[0]).all(-1)
    assert (same | wanted[4]).float().mean() > 0.99
    counts = (same & ~wanted[4])[..., None] & (wanted[0] >= 0)
    total = torch.zeros((), dtype=torch.float64), torch.zeros((), device=device)
    for a, b in zip(found[1:], wanted[1:4]):
        mask = counts if a.ndim == 4 else counts[..., None]
        # far outside, unclipped perspective barycentrics go through infinity
        size = 1 + b.detach().abs() + (0 if clip else b.detach().square())
        assert ((a.detach().cpu() - b.detach()).abs() / size * mask).max() < 3e-6
        weight = torch.randn(a.shape, generator=torch.Generator().manual_seed(seed)) * mask
        total = total[0] + (b * weight.double()).sum(), total[1] + (a * weight.to(a)).sum()
    if counts.any() and clip:
        exact = torch.autograd.grad(total[0], theirs)
        ours = torch.autograd.grad(total[1], mine)
        check_gradient(torch.cat(ours), torch.cat(exact), GRADIENT)


def test_faces_too_small_or_behind_the_camera_are_dropped(device):
    small = LEFT * torch.tensor([1e-4, 1e-4, 1.0])
    behind = LEFT - torch.tensor([[0.0, 0.0, 1.1], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    for verts in (small, behind):
        pix_to_face, *_ = rasterize_meshes(on(device, verts), 16, blur_radius=0.1)
        assert (pix_to_face == -1).all()
    pix_to_face, zbuf, *_ = rasterize_meshes(on(device, behind), 16, z_clip_value=0.1)
    assert (pix_to_face == 0).any() and zbuf[pix_to_face == 0].min() > 0.1


def test_backfaces_are_those_that_turn_clockwise(device):
    turned = LEFT[[0, 2, 1]]
    shown = [
        (rasterize_meshes(on(device, v), 16, cull_backfaces=True)[0] >= 0).any().item()
        for v in (LEFT, turned)
    ]
    assert shown == [True, False]


def test_what_lies_beside_the_image_is_culled_only_if_asked(device):
    beside = LEFT + torch.tensor([0.95, 0.0, 0.0])
    for cull, seen in ((False, True), (True, False)):
        pix_to_face, *_ = rasterize_meshes(
            on(device, beside), 16, blur_radius=0.2, cull_to_frustum=cull
        )
        assert (pix_to_face >= 0).any().item() == seen


def test_a_face_with_a_corner_beyond_two_sides_is_not_culled(device):
    reaching = LEFT + torch.tensor([[0.5, 0.5, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    pix_to_face, *_ = rasterize_meshes(on(device, reaching), 16, cull_to_frustum=True)
    assert (pix_to_face == 0).any()


def test_no_face_is_dropped_for_the_size_of_a_bin(device):
    verts = LEFT.repeat(3000, 1)
    pix_to_face, *_ = rasterize_meshes(
        on(device, verts), 16, faces_per_pixel=64, bin_size=8, max_faces_per_bin=1
    )
    assert torch.equal(pix_to_face[0, 2, 2].cpu(), torch.arange(64))


def test_empty_meshes_have_empty_images(device):
    none = torch.zeros(0, 3, dtype=torch.int64)
    meshes = Meshes([LEFT.to(device), LEFT[:0].to(device)], [none.to(device), none.to(device)])
    for z_clip in (None, 0.1):
        pix_to_face, *_ = rasterize_meshes(meshes, 8, faces_per_pixel=2, z_clip_value=z_clip)
        assert pix_to_face.shape == (2, 8, 8, 2) and (pix_to_face == -1).all()


# ---- MeshRasterizer --------------------------------------------------------------------------------------

WORLD = torch.tensor([[0.9, 0.9, 0.3], [0.9, -0.5, -0.4], [-0.7, 0.8, 0.1]])


def test_the_rasterizer_projects_and_rasterizes(device):
    other = WORLD * torch.tensor([1.0, -1.0, 1.0])
    world = [WORLD.clone().requires_grad_(), other[[0, 2, 1]].clone().requires_grad_()]
    faces = [torch.tensor([[0, 1, 2]])] * 2
    settings = RasterizationSettings(image_size=(12, 16), faces_per_pixel=2)
    found = MeshRasterizer(Camera(), settings)(Meshes(world, faces))
    ndc = [torch.cat([1.5 * w[:, :2] / (w[:, 2:] + 3), w[:, 2:] + 3], 1) for w in world]
    wanted = rasterize_meshes(Meshes(ndc, faces), (12, 16), 0.0, 2, perspective_correct=True)
    for a, b in zip(found, wanted):
        close(a, b, 1e-6)
    assert (found.pix_to_face == 1).any() and not found.detach().zbuf.requires_grad
    gradients = torch.autograd.grad(found.zbuf.sum() + found.dists.sum(), world)
    assert all(g.any() for g in gradients)


def test_what_is_not_set_follows_the_cameras(device):
    faces = [torch.tensor([[0, 1, 2]])]
    meshes = Meshes([WORLD], faces)
    for perspective in (True, False):
        settings = RasterizationSettings(image_size=32, blur_radius=0.01)
        camera = Camera(perspective=perspective, focal=1.0 if perspective else 0.4)
        found = MeshRasterizer(camera)(meshes, raster_settings=settings)
        outside = found.dists > 0
        assert (found.bary_coords[outside] >= 0).all()  # clipped, since there is a blur
        settings.perspective_correct = perspective
        settings.clip_barycentric_coords = True
        assert torch.equal(MeshRasterizer(camera, settings)(meshes).zbuf, found.zbuf)
    near = Meshes(
        [(WORLD - torch.tensor([0.0, 0.0, 2.7])) * torch.tensor([0.3, 0.3, 1.0])], faces
    )  # reaches behind z = 0
    settings = RasterizationSettings(image_size=32)
    assert (MeshRasterizer(Camera(), settings)(near).pix_to_face == -1).all()
    found = MeshRasterizer(Camera(znear=0.1), settings)(near)
    assert (found.pix_to_face == 0).any() and found.zbuf[found.pix_to_face == 0].min() > 0.05


def test_cameras_are_needed():
    with pytest.raises(ValueError, match="cameras must be given, here or in forward; got None"):
        MeshRasterizer()(Meshes([WORLD], [torch.tensor([[0, 1, 2]])]))


def test_wrong_arguments_are_named(device):
    meshes = on(device, LEFT)
    with pytest.raises(ValueError, match="glrast.pytorch3d.rasterize_meshes: faces_per_pixel must"):
        rasterize_meshes(meshes, faces_per_pixel=0)
    with pytest.raises(ValueError, match="blur_radius must be 0 or more; got -0.1"):
        rasterize_meshes(meshes, blur_radius=-0.1)
    with pytest.raises(TypeError, match="verts_packed.. must be float32"):
        rasterize_meshes(on(device, LEFT.double()))


def test_its_names_are_public():
    assert glrast.pytorch3d.rasterize_meshes is rasterize_meshes
