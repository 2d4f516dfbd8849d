"""PyTorch's default device and dtype: tensors stay where they are, shapes are float32."""

import pytest
import torch

from glrast import clip, losses, optim

POS, TRI = clip.icosphere(1)
IMAGE = torch.rand(1, 11, 13, 3)
MESH_LOSSES = (
    losses.mesh_laplacian_smoothing,
    lambda pos, tri: losses.mesh_laplacian_smoothing(pos, tri, "cot"),
    losses.mesh_normal_consistency,
    losses.mesh_edge_loss,
    losses.dirichlet_energy,
)
OF_TENSORS = {
    "vertex_normals": lambda: clip.vertex_normals(POS, TRI),
    "face_normals": lambda: clip.face_normals(POS, TRI),
    "weld": lambda: clip.weld(POS, TRI),
    "subdivide": lambda: clip.subdivide(POS, TRI),
    "subdivide_loop": lambda: clip.subdivide_loop(POS, TRI),
    "remesh": lambda: clip.remesh(POS, TRI, 0.5),
    "edges": lambda: (clip.edges(TRI),),
    "edge_lengths": lambda: (clip.edge_lengths(POS, TRI),),
    "connected_components": lambda: (clip.connected_components(TRI, len(POS)),),
    "is_closed": lambda: (torch.tensor([clip.is_closed(TRI)], device="cpu"),),
    "laplacian": lambda: (clip.laplacian(TRI, len(POS)).to_dense(),),
    "remove_small_components": lambda: clip.remove_small_components(POS, TRI),
    "transform_points": lambda: (clip.transform_points(torch.eye(4, device="cpu"), POS),),
    "losses of meshes": lambda: [loss(POS, TRI.clone()) for loss in MESH_LOSSES],
    "losses of images": lambda: [
        losses.dssim_loss(IMAGE, IMAGE.flip(2), IMAGE[..., :1]),
        losses.huber_loss(IMAGE, IMAGE.flip(2), IMAGE[..., :1] > 0),
        losses.charbonnier_loss(IMAGE, IMAGE.flip(2)),
        losses.iou_loss(IMAGE[..., 0], IMAGE[..., 1]),
        losses.total_variation(IMAGE, wrap=True),
    ],
    "LargeSteps": lambda: [
        optim.LargeSteps(TRI, len(POS), 19.0, solver).from_differential(POS)
        for solver in ("scipy", "cg")
    ],
    "Mesh": lambda: (clip.Mesh(POS, TRI).pos, clip.Mesh(POS, TRI).tri),
}
SHAPES = {
    "cube": clip.cube,
    "grid": lambda: clip.grid(2, 3),
    "icosphere": lambda: clip.icosphere(1),
    "torus": clip.torus,
    "cube_directions": lambda: (clip.cube_directions(3),),
    "perspective": lambda: (clip.perspective(0.7, 1.5, 0.1, 10.0),),
    "look_at": lambda: (clip.look_at((0, 0, 3), (0, 0, 0)),),
}


@pytest.fixture
def meta():
    """The default device is one that no tensor is on."""
    yield lambda: torch.set_default_device("meta")
    torch.set_default_device(None)


@pytest.fixture
def float64():
    before = torch.get_default_dtype()
    yield lambda: torch.set_default_dtype(torch.float64)
    torch.set_default_dtype(before)


@pytest.mark.parametrize("name", OF_TENSORS)
def test_what_is_given_on_the_cpu_is_worked_on_there(meta, name):
    wanted = OF_TENSORS[name]()
    meta()
    check_equal(OF_TENSORS[name](), wanted)


@pytest.mark.parametrize("name", [*SHAPES, *OF_TENSORS])
def test_the_default_dtype_changes_nothing(float64, name):
    make = (SHAPES | OF_TENSORS)[name]
    wanted = make()
    float64()
    check_equal(make(), wanted)


@pytest.mark.parametrize("ending", ["obj", "ply", "glb"])
def test_meshes_are_loaded_to_the_cpu(meta, tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    clip.save_mesh(path, clip.Mesh(POS, TRI))
    wanted = clip.load_mesh(path)
    meta()
    found = clip.load_mesh(path)
    check_equal((found.pos, found.tri), (wanted.pos, wanted.tri))


def check_equal(found, wanted):
    for f, w in zip(found, wanted, strict=True):
        assert f.device == w.device and f.dtype == w.dtype and torch.equal(f, w)
