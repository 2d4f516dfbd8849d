"""Nodes: which meshes of the file stand where, with which skin and morph weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .accessors import Accessors
from .container import Document
from .tree import Broken, Tree
from .upright import taken_back

AFFINE = 1e-6  # what the last row of a node's matrix may differ from 0 0 0 1


@dataclass
class Placement:
    """A mesh in the world: `matrices` [N,4,4] in float64, one unless it is instanced; `order` in the scene."""

    mesh: Tree
    matrices: np.ndarray
    weights: list[float]
    skin: Tree | None
    order: int


class Nodes:
    """All nodes' matrices in the world, float64."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = document.items("nodes")
        self._children = [self._children_of(node) for node in self.nodes]
        self.parents = self._parents()
        self.world = self._world()

    def shown(self) -> Iterator[Tree]:
        """The nodes of the scene, parents first, without those that KHR_node_visibility hides."""
        waiting = self._roots()[::-1]
        seen: set[int] = set()
        while waiting:
            index = waiting.pop()
            visible = self.nodes[index].extension("KHR_node_visibility")
            if index in seen or (visible is not None and not visible.flag("visible", True)):
                continue
            seen.add(index)
            yield self.nodes[index]
            waiting += self._children[index][::-1]

    def _roots(self) -> list[int]:
        document = self.document
        scene = document.refer(document.root, "scene", "scenes")
        scenes = document.items("scenes")
        if scene is None and scenes:
            scene = scenes[0]
            if len(scenes) > 1:
                document.note(
                    f"has {len(scenes)} scenes and names none of them; the first was read"
                )
        if scene is None:
            return [i for i, parent in enumerate(self.parents) if parent < 0]
        roots = scene.wholes("nodes")
        for root in roots:
            document.pick("nodes", root, scene.place("nodes"))
        return roots

    def _children_of(self, node: Tree) -> list[int]:
        children = node.wholes("children")
        for child in children:
            self.document.pick("nodes", child, node.place("children"))
        return children

    def _parents(self) -> list[int]:
        parents = [-1] * len(self.nodes)
        for parent, children in enumerate(self._children):
            for child in children:
                if parents[child] >= 0:
                    raise Broken(
                        f"nodes[{child}] is the child of nodes[{parents[child]}] and of nodes[{parent}]"
                    )
                parents[child] = parent
        return parents

    def _world(self) -> np.ndarray:
        world = np.zeros((len(self.nodes), 4, 4))
        waiting = [i for i, parent in enumerate(self.parents) if parent < 0]
        reached = len(waiting)
        while waiting:
            index = waiting.pop()
            local, parent = local_matrix(self.nodes[index]), self.parents[index]
            world[index] = local if parent < 0 else world[parent] @ local
            waiting += self._children[index]
            reached += len(self._children[index])
        if reached < len(self.nodes):
            raise Broken("its nodes are children of each other in a circle")
        if not np.isfinite(world).all():
            raise Broken("its nodes lie beyond what numbers can say")
        return world


def placements(document: Document, accessors: Accessors, nodes: Nodes) -> Iterator[Placement]:
    """What the scene shows; a file without nodes shows its meshes as they are."""
    if not nodes.nodes:
        for mesh in document.items("meshes"):
            yield Placement(mesh, np.eye(4)[None], mesh.free_numbers("weights"), None, mesh.index)
    for order, node in enumerate(nodes.shown()):
        mesh = document.refer(node, "mesh", "meshes")
        if mesh is None:
            continue
        weights = (node if node.has("weights") else mesh).free_numbers("weights")
        skin = document.refer(node, "skin", "skins")
        matrices = nodes.world[node.index][None]
        instancing = node.extension("EXT_mesh_gpu_instancing")
        if instancing is not None:
            matrices = matrices @ _instances(instancing, accessors)
        yield Placement(mesh, matrices, weights, skin, order)


def local_matrix(node: Tree) -> np.ndarray:
    """[4,4] of a node's matrix, or of its translation, rotation and scale."""
    if node.has("matrix"):
        matrix = np.array(node.numbers("matrix", 16, ())).reshape(4, 4).T  # stored by columns
        if np.abs(matrix[3] - (0, 0, 0, 1)).max() > AFFINE:
            raise Broken(
                f"{node.place('matrix')} must be affine; its last row is {matrix[3].tolist()}"
            )
        return taken_back(matrix, node.value.get("extras"))
    translation = np.array([node.numbers("translation", 3, (0.0, 0.0, 0.0))])
    rotation = np.array([node.numbers("rotation", 4, (0.0, 0.0, 0.0, 1.0))])
    scale = np.array([node.numbers("scale", 3, (1.0, 1.0, 1.0))])
    if not rotation.any():
        raise Broken(f"{node.place('rotation')} must be a unit quaternion; it is zero")
    return composed(translation, rotation, scale)[0]


def composed(translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """[N,4,4] = T R S from [N,3], quaternions x, y, z, w [N,4] of any length but 0, [N,3]."""
    largest = np.abs(rotation).max(1, keepdims=True)
    rotation = rotation / np.where(largest > 0, largest, 1)
    length = np.linalg.norm(rotation, axis=1, keepdims=True)
    x, y, z, w = (rotation / np.where(length > 0, length, 1)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix = np.tile(np.eye(4), (len(translation), 1, 1))
    matrix[:, :3, :3] = np.stack([np.stack(row, 1) for row in rows], 1) * scale[:, None, :]
    matrix[:, :3, 3] = translation
    return matrix


def _instances(extension: Tree, accessors: Accessors) -> np.ndarray:
    attributes = extension.child("attributes")
    found: dict[str, np.ndarray] = {}
    wanted = {"TRANSLATION": ("VEC3", 0.0), "ROTATION": ("VEC4", 0.0), "SCALE": ("VEC3", 1.0)}
    for name, (kind, _) in wanted.items():
        accessor = None
        if attributes is not None:
            accessor = accessors.document.refer(attributes, name, "accessors")
        if attributes is not None and accessor is not None:
            if accessors.kind(accessor) != kind:
                raise Broken(f"{attributes.place(name)} must be {kind}")
            found[name] = accessors.floats(accessor).astype(np.float64)
    counts = {len(values) for values in found.values()}
    if len(counts) != 1:
        raise Broken(f"{extension.where} must have attributes of one count; got {sorted(counts)}")
    count = counts.pop()
    rotation = found.get("ROTATION")
    if rotation is None:
        rotation = np.tile([0.0, 0.0, 0.0, 1.0], (count, 1))
    translation = found.get("TRANSLATION", np.zeros((count, 3)))
    return composed(translation, rotation, found.get("SCALE", np.ones((count, 3))))
