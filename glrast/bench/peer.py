"""Another renderer on the same mesh and camera, measured in turns with glrast: DEODR, or nvdiffrast on a GPU.

Both begin with world positions and vertex colours and end with the gradients of both; both find the mesh's neighbours
beforehand. nvdiffrast (Laine et al. 2020) is called as its users call it, with its defaults. DEODR (de La Gorce et al.
2011; PyPI deodr) runs with its defaults: float64, one thread, no perspective correction of colours, back faces
culled, no screen-space derivatives. glrast is told to leave out the same (cull="back", output_db=False), and runs
in float32 on PyTorch's threads.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

import glrast

from ..clip import transform_points
from . import measure
from .scene import Scene

SIGMA_PIX = 1.0  # DEODR's default width of the blend across an edge
# A turn is iterations in a row, as in a fit. Those of its first moments do not count: a core that idled beside DEODR's
# one thread comes back slowly on a shared machine (100, 70, 60, 55 ms were seen).
TURN, UNCOUNTED_SECONDS = 5, 0.2


@dataclass(frozen=True)
class Comparison:
    """Medians of both in milliseconds, and how alike their images are."""

    resolution: int
    triangles: int
    forward_ms: float
    backward_ms: float
    peer_forward_ms: float
    peer_backward_ms: float
    image_difference: float  # mean absolute difference of colours in 0..1
    peer: str = "DEODR"

    @property
    def ratio(self) -> float:
        """How many times as long the peer takes, forward and backward."""
        ours = self.forward_ms + self.backward_ms
        return (self.peer_forward_ms + self.peer_backward_ms) / ours


def compare(scene: Scene, repeats: int, peer: str = "deodr") -> Comparison:
    """Run glrast and the peer in turns of several iterations: whatever else the machine does meets both.

    Raises: RuntimeError where the peer is not installed.
    """
    device = scene.tri.device
    sides = [_Glrast(scene), PEERS[peer](scene)]
    generator = torch.Generator().manual_seed(1)
    grad = torch.rand(*scene.resolution, 3, generator=generator)
    ups: list[list[float]] = [[], []]
    downs: list[list[float]] = [[], []]
    for _ in range(math.ceil(repeats / TURN)):
        for i, side in enumerate(sides):
            given = side.gradient(grad)
            begin = time.perf_counter()
            counted = 0
            while counted < TURN:
                late = time.perf_counter() - begin > UNCOUNTED_SECONDS
                up = measure.seconds(side.forward, device)
                down = measure.seconds(partial(side.backward, given), device)
                if late:
                    ups[i].append(up)
                    downs[i].append(down)
                    counted += 1
    difference = float((sides[0].picture() - sides[1].picture()).abs().mean())
    ours_up, peer_up = (1e3 * statistics.median(t) for t in ups)
    ours_down, peer_down = (1e3 * statistics.median(t) for t in downs)
    where = (scene.resolution[0], len(scene.tri))
    name = sides[1].name
    return Comparison(*where, ours_up, ours_down, peer_up, peer_down, difference, name)


class _Glrast:
    name = "glrast"

    def __init__(self, scene: Scene):
        self.scene = scene
        self.ctx = glrast.Context(scene.tri.device, output_db=False)
        self.topology = glrast.antialias_construct_topology_hash(scene.tri)
        self.matrix = scene.camera.world_to_clip[None]
        self.inputs = (
            scene.pos_world.clone().requires_grad_(),
            scene.color.clone().requires_grad_(),
        )
        self.image: Tensor

    def forward(self) -> None:
        pos_world, color = self.inputs
        tri = self.scene.tri
        pos = transform_points(self.matrix, pos_world)
        rast, _ = glrast.rasterize(self.ctx, pos, tri, self.scene.resolution, cull="back")
        image, _ = glrast.interpolate(color, rast, tri)
        self.image = glrast.antialias(image, rast, pos, tri, self.topology)

    def gradient(self, grad: Tensor) -> Tensor:
        return grad[None].to(self.scene.tri.device)

    def backward(self, grad: Tensor) -> None:
        self.grads = torch.autograd.grad(self.image, self.inputs, grad)

    def picture(self) -> Tensor:
        return self.image[0].detach().cpu()


class _Nvdiffrast(_Glrast):
    """The same calls; culling and the leaving out of derivatives are not in its interface."""

    name = "nvdiffrast"

    def __init__(self, scene: Scene):
        super().__init__(scene)
        try:
            self.dr = import_module("nvdiffrast.torch")
        except ImportError as error:
            raise RuntimeError(
                "glrast bench: --peer nvdiffrast needs nvdiffrast, which is not installed (its licence is not free)"
            ) from error
        self.ctx = self.dr.RasterizeCudaContext(device=scene.tri.device)
        self.topology = self.dr.antialias_construct_topology_hash(scene.tri)

    def forward(self) -> None:
        pos_world, color = self.inputs
        tri = self.scene.tri
        pos = transform_points(self.matrix, pos_world)
        rast, _ = self.dr.rasterize(self.ctx, pos, tri, self.scene.resolution)
        image, _ = self.dr.interpolate(color, rast, tri)
        self.image = self.dr.antialias(image, rast, pos, tri, self.topology)


class _Deodr:
    name = "DEODR"

    def __init__(self, scene: Scene):
        renderer, mesh_type = _import()
        mesh = mesh_type(
            scene.tri.cpu().numpy(), vertices=scene.pos_world.cpu().double().numpy(), nb_colors=3
        )
        mesh.set_vertices_colors(scene.color.cpu().double().numpy())
        self.scene = renderer.Scene3D(sigma=SIGMA_PIX)
        self.scene.set_light(light_directional=None, light_ambient=1.0)  # colours as they are
        self.scene.set_mesh(mesh)
        self.scene.set_background_color([0.0, 0.0, 0.0])
        height, width = scene.resolution
        projection = scene.camera.projection.cpu().double().numpy()
        focal_x, focal_y = projection[0, 0] * width / 2, projection[1, 1] * height / 2
        # its pixel centres are whole numbers, and its camera looks along +z with y down
        intrinsic = np.array(
            [[focal_x, 0, (width - 1) / 2], [0, focal_y, (height - 1) / 2], [0, 0, 1]]
        )
        world_to_camera = scene.camera.world_to_camera.cpu().double().numpy()
        extrinsic = np.diag([1.0, -1.0, -1.0]) @ world_to_camera[:3]
        self.camera = renderer.Camera(extrinsic, intrinsic, height, width)
        self.image: np.ndarray

    def forward(self) -> None:
        self.image = self.scene.render(self.camera)

    def gradient(self, grad: Tensor) -> np.ndarray:
        return np.ascontiguousarray(grad.flip(0).double().numpy())  # row 0 at the top

    def backward(self, grad: np.ndarray) -> None:
        self.scene.clear_gradients()
        self.scene.render_backward(grad)

    def picture(self) -> Tensor:
        return torch.from_numpy(self.image).float().flip(0)


def _import() -> tuple[Any, Any]:
    try:
        from deodr import differentiable_renderer  # pyright: ignore[reportMissingImports]
        from deodr.triangulated_mesh import ColoredTriMesh  # pyright: ignore[reportMissingImports]
    except (ImportError, NameError) as error:  # without trimesh: a name that is not defined
        raise RuntimeError(
            "glrast bench: --peer deodr needs DEODR and trimesh; one is not installed; run: pip install 'glrast[bench]'"
        ) from error
    return differentiable_renderer, ColoredTriMesh


PEERS: dict[str, Any] = {"deodr": _Deodr, "nvdiffrast": _Nvdiffrast}
