"""What PyTorch3D's own unit tests expect of its rasterizer and its clipping, reproduced by glrast.pytorch3d.

Triangles and expected values are those of its tests/test_rasterize_meshes.py and tests/test_render_meshes_clipped.py;
pictures are written as rows of one letter a pixel: a face's number, or a dot where there is none.
"""

import pytest
import torch

from glrast.pytorch3d import rasterize_meshes
from glrast.pytorch3d.clipping import pieces_of
from tests.ops.compare import close
from tests.pytorch3d.standins import Meshes

PRINTED = 6e-5  # the expected distances and depths have four decimals


def faces_of(picture: str) -> torch.Tensor:
    rows = [[-1 if c == "." else int(c) for c in row] for row in picture.split()]
    return torch.tensor(rows)


def on(device, verts, faces):
    return Meshes([torch.tensor(v).to(device) for v in verts], [f.to(device) for f in faces])


# ---- two triangles, two meshes ---------------------------------------------------------------------------

FIRST = [
    ".......... .......... .......... ....0..... ...000.... ..0000.... .00000.... .......... .......... ..........",
    ".......... .......... .....1.... ..221112.. ...11111.. ...111111. ..1112.... .......... .......... ..........",
]  # fmt: skip
SECOND = (
    ".......... .......... .......... ....222... ...2222... "
    "...2222... ....2..... .......... .......... .........."
)
DEPTHS = torch.tensor([0.1, 0.1, 0.5, -1.0])  # of faces 0, 1, 2, and of none


def test_a_batch_of_overlapping_faces(device):
    one = [[-0.3, -0.4, 0.1], [0.0, 0.6, 0.1], [0.9, -0.4, 0.1]]
    two = [[-0.9, -0.2, 0.1], [0.0, 0.6, 0.1], [0.7, -0.4, 0.1],
           [-0.7, 0.4, 0.5], [0.0, -0.6, 0.5], [0.7, 0.4, 0.5]]  # fmt: skip
    faces = torch.tensor([[1, 0, 2], [3, 4, 5]])
    meshes = on(device, [one, two], [faces[:1], faces])
    ids, zbuf, _, _ = rasterize_meshes(meshes, 10, 0.0, 2)
    first = torch.stack([faces_of(picture) for picture in FIRST])
    second = torch.stack([torch.full((10, 10), -1), faces_of(SECOND)])
    for k, wanted in enumerate((first, second)):
        assert torch.equal(ids[..., k].cpu(), wanted)
        close(zbuf[..., k], DEPTHS[wanted], 1e-6)


# ---- blur, in any order of the faces ---------------------------------------------------------------------

BLURRED = (
    ".......... .......... .22000.... .20000.... .000000... "
    ".000000... .......... .......... .......... .........."
)


def test_a_blurred_face_does_not_depend_on_the_order_of_faces(device):
    verts = [
        [-0.3, 0.0, 0.1], [0.0, 0.6, 0.1], [0.8, 0.0, 0.1], [-0.25, 0.0, 0.9], [0.25, 0.5, 0.9], [0.75, 0.0, 0.9],
        [-0.4, 0.0, 0.5], [0.6, 0.6, 0.5], [0.8, 0.0, 0.5], [-0.2, 0.0, -0.5], [0.3, 0.6, -0.5], [0.4, 0.0, -0.5],
    ]  # fmt: skip
    faces = torch.tensor([[1, 0, 2], [4, 3, 5], [7, 6, 8], [10, 9, 11]])
    wanted, same = faces_of(BLURRED), None
    for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1]):
        meshes = on(device, [verts], [faces[order]])
        ids, zbuf, _, dists = (t[0, ..., 0] for t in rasterize_meshes(meshes, 10, 0.12**2, 1))
        number = torch.tensor([*(order.index(f) for f in range(3)), -1])
        assert torch.equal(ids.cpu(), number[wanted])
        close(zbuf, torch.tensor([0.1, 0.9, 0.5, -1.0])[wanted], 1e-6)
        same = dists if same is None else same
        assert torch.equal(dists, same)


def test_what_lies_behind_the_camera_is_nowhere(device):
    verts = [[-0.5, 0.0, -0.1], [0.0, 0.6, -0.1], [0.5, 0.0, -0.1], [-0.25, 0.0, -0.9], [0.25, 0.5, -0.9],
             [0.75, 0.0, -0.9]]  # fmt: skip
    faces = torch.tensor([[1, 0, 2], [4, 3, 5]])
    for found in rasterize_meshes(on(device, [verts], [faces]), 16, 0.2, 1):
        assert (found == -1).all()


# ---- perspective -----------------------------------------------------------------------------------------

COVERED = (
    "........... ....000.... ...00000... ...00000... ..0000000.. ..0000000.. "
    ".000000000. .000000000. .000000000. ..0000000.. ..........."
)
# the right half of the rows 1 to 9, from the middle on; the triangle is symmetric
DISTANCES = [
    [0.1071, 0.1402], [0.0212, 0.0542, 0.1523], [-0.0003, 0.0214, 0.0955], [-0.0095, 0.0042, 0.0518, 0.1523],
    [-0.032, -0.0003, 0.0214, 0.0955], [-0.0476, -0.0095, 0.0042, 0.0518, 0.1523],
    [-0.0013, -0.0013, -0.0003, 0.0225, 0.1084], [0.0212, 0.0212, 0.0212, 0.0423, 0.1283],
    [0.1071, 0.1071, 0.1071, 0.1283],
]  # fmt: skip
AFFINE = [24.0909, 21.8182, 19.5455, 17.2727, 15.0, 12.7273, 10.4545, 8.1818, 5.9091]
PERSPECTIVE = [33.8462, 24.4444, 19.1304, 15.7143, 13.3333, 11.5789, 10.2326, 9.1667, 8.3019]


@pytest.mark.parametrize("perspective, depths", [(False, AFFINE), (True, PERSPECTIVE)])
def test_depth_and_weights_with_and_without_perspective(device, perspective, depths):
    verts = [[-0.4, -0.4, 10.0], [0.4, -0.4, 10.0], [0.0, 0.4, 20.0]]
    meshes = on(device, [verts], [torch.tensor([[0, 1, 2]])])
    ids, zbuf, bary, dists = (
        t[0, ..., 0, :] if t.ndim == 5 else t[0, ..., 0]
        for t in rasterize_meshes(meshes, 11, 0.2, 1, perspective_correct=perspective)
    )
    covered = faces_of(COVERED)
    assert torch.equal(ids.cpu(), covered)
    there = covered >= 0
    away, z = torch.full((11, 11), -1.0), torch.full((11, 11), -1.0)
    for y, half in enumerate(DISTANCES, 1):
        for x, d in enumerate(half):
            away[y, 5 + x] = away[y, 5 - x] = d
    z[1:10] = torch.where(there[1:10], torch.tensor(depths)[:, None], -1.0)
    close(dists, away, PRINTED)
    assert ((zbuf.cpu() - z).abs() < 1e-4).all()
    again = (bary.cpu() * torch.tensor([10.0, 10.0, 20.0])).sum(-1)
    assert ((again - z).abs()[there] < 1e-4).all()


# ---- faces cut at a depth --------------------------------------------------------------------------------


def cut(verts):
    return pieces_of(torch.tensor([verts]), torch.tensor([[0, 1]]), 1e-2, False, (1.0, 1.0))


def test_a_face_in_front_is_left_as_it_is_and_one_behind_is_gone():
    front = [[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    assert torch.equal(cut(front).corners, torch.tensor([front])) and cut(front).other.tolist() == [
        -1
    ]
    gone = cut([[-1.0, 0.0, -1.0], [0.0, 1.0, -1.0], [1.0, 0.0, -1.0]])
    assert gone.corners.shape == (0, 3, 3) and gone.ranges.tolist() == [[0, 0]]


def test_one_corner_in_front_leaves_one_piece():
    found = cut([[-1.0, 0.0, -1.0], [0.0, 0.0, 1.0], [1.0, 0.0, -1.0]])
    # as published it begins at a cut corner; here at the one in front
    wanted = [[[0.495, 0.0, 0.01], [-0.495, 0.0, 0.01], [0.0, 0.0, 1.0]]]
    weights = [[[0.0, 0.505, 0.495], [0.495, 0.505, 0.0], [0.0, 1.0, 0.0]]]
    close(found.corners[:, [1, 2, 0]], torch.tensor(wanted), 1e-6)
    close(found.weights[:, [1, 2, 0]], torch.tensor(weights), 1e-6)
    assert found.face.tolist() == [0] and found.other.tolist() == [-1]


def test_two_corners_in_front_leave_two_pieces_that_know_each_other():
    found = cut([[0.0, 0.0, -1.0], [-1.0, 0.0, 1.0], [1.0, 0.0, 1.0]])
    one = [[-0.505, 0.0, 0.01], [-1.0, 0.0, 1.0], [0.505, 0.0, 0.01]]
    two = [[0.505, 0.0, 0.01], [-1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    close(found.corners, torch.tensor([one, two]), 1e-6)
    weights = [
        [[0.495, 0.505, 0.0], [0.0, 1.0, 0.0], [0.495, 0.0, 0.505]],
        [[0.495, 0.0, 0.505], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ]
    close(found.weights, torch.tensor(weights), 1e-6)
    assert found.face.tolist() == [0, 0] and found.other.tolist() == [1, 0]
