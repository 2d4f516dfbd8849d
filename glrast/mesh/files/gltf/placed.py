"""Parts put into the world, in float64: by the node's matrix, by each instance's, or by the joints of a skin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .accessors import Accessors
from .primitives import Part
from .scene import Nodes, Placement
from .tree import Broken, Tree


@dataclass
class Placed:
    """Vertices in the world: pos float64 [V,3], unit normals or None, color linear [V,3|4] or None;
    tri of each chunk, counter-clockwise from outside; `rows`, where it is no longer one to one, says which of
    the part's vertices each is. `placement` and `instance` are the file's order."""

    part: Part
    weights: list[float]
    pos: np.ndarray
    normal: np.ndarray | None
    color: np.ndarray | None
    tri: list[np.ndarray]
    rows: np.ndarray | None = None
    placement: int = 0
    instance: int = 0


def place(part: Part, placement: Placement, nodes: Nodes, accessors: Accessors) -> Iterator[Placed]:
    """One `Placed` for each instance."""
    position = _finite(part, placement.weights, "POSITION")
    color = _finite(part, placement.weights, "COLOR_0")
    normal = part.attribute("NORMAL", placement.weights)
    if normal is not None and not np.isfinite(normal).all():
        nodes.document.note(f"has normals that are no numbers, which became 0 ({part.where})")
        normal = np.where(np.isfinite(normal).all(1, keepdims=True), normal, 0)
    assert position is not None
    if part.targets and placement.weights and len(placement.weights) != len(part.targets):
        raise Broken(
            f"{placement.mesh.where} has {len(placement.weights)} weights for "
            f"{len(part.targets)} morph targets in {part.where}"
        )
    skin = None
    if placement.skin is not None:
        skin = _skinned(part, placement.skin, nodes, accessors)
    for instance, matrix in enumerate(placement.matrices if skin is None else (skin,)):
        linear = matrix[..., :3, :3]
        if matrix.ndim == 2:
            if np.linalg.matrix_rank(linear) < 2:
                continue  # to a point or a line: a node hidden by its scale
            pos = position.astype(np.float64) @ linear.T + matrix[:3, 3]
        else:
            pos = np.einsum("vij,vj->vi", linear, position.astype(np.float64)) + matrix[:, :3, 3]
        if not np.isfinite(pos).all():
            raise Broken(f"{part.where} lies beyond what numbers can say")
        turned = None if normal is None else _normals(normal.astype(np.float64), linear)
        tri = _facing(part, linear)
        yield Placed(
            part, placement.weights, pos, turned, color, tri, None, placement.order, instance
        )


def flat(placed: Placed) -> Placed:
    """With the normals of its faces, as glTF says where there are none, on vertices of their own."""
    rows = np.concatenate(placed.tri).reshape(-1)
    a, b, c = placed.pos[rows].reshape(-1, 3, 3).transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    ends = np.cumsum([tri.size for tri in placed.tri])
    return replace(
        placed,
        pos=placed.pos[rows],
        normal=np.repeat(normal / np.where(length > 0, length, 1), 3, axis=0),
        color=None if placed.color is None else placed.color[rows],
        tri=[np.arange(e - tri.size, e).reshape(-1, 3) for tri, e in zip(placed.tri, ends)],
        rows=rows,
    )


def _finite(part: Part, weights: list[float], name: str) -> np.ndarray | None:
    values = part.attribute(name, weights)
    if values is not None and not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(1)))
        raise Broken(
            f"{part.where}.attributes.{name} must be finite; "
            f"vertex {row} has {values[row].tolist()}"
        )
    return values


def _facing(part: Part, linear: np.ndarray) -> list[np.ndarray]:
    """Triangles, turned over where the matrices mirror."""
    if linear.ndim == 2:
        if np.linalg.det(linear) >= 0:
            return [chunk.tri for chunk in part.chunks]
        return [chunk.tri[:, ::-1] for chunk in part.chunks]
    mirrored = np.linalg.det(linear) < 0
    turned = []
    for chunk in part.chunks:
        over = mirrored[chunk.tri].sum(1, keepdims=True) >= 2
        turned.append(np.where(over, chunk.tri[:, ::-1], chunk.tri))
    return turned


def _normals(normal: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Unit normals through the inverse transpose; written as cofactors it has no division, so that a matrix
    that flattens (a singular one) gives the normal of its plane."""
    a, b, c = linear[..., 0], linear[..., 1], linear[..., 2]  # columns
    cofactor = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], -1)
    sign = np.where(np.linalg.det(linear) < 0, -1.0, 1.0)
    cofactor = cofactor * sign[..., None, None]
    # a scale of 1e-20 must not make the length of a normal underflow
    size = np.abs(cofactor).max((-2, -1), keepdims=True)
    cofactor = cofactor / np.where(size > 0, size, 1)
    if linear.ndim == 2:
        turned = normal @ cofactor.T
    else:
        turned = np.einsum("vij,vj->vi", cofactor, normal)
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    return turned / np.where(length > 0, length, 1)


def _skinned(part: Part, skin: Tree, nodes: Nodes, accessors: Accessors) -> np.ndarray | None:
    """[V,4,4] at the rest pose: the joints' matrices, mixed. The node's own matrix has no say then."""
    joints, weights = [], []
    for n in range(8):
        joint, weight = part.joints(n), part.values(f"WEIGHTS_{n}")
        if joint is None or weight is None:
            break
        joints.append(joint)
        weights.append(weight)
    if not joints:
        nodes.document.note(
            f"has a skin without JOINTS_0 and WEIGHTS_0, which was left out ({part.where})"
        )
        return None
    matrices = _joint_matrices(skin, nodes, accessors)
    joint = np.concatenate(joints, 1).astype(np.int64)
    weight = np.concatenate(weights, 1).astype(np.float64)
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise Broken(f"{part.where} has weights of joints that are negative or no numbers")
    joint = np.where(weight > 0, joint, 0)
    if joint.size and (joint.max() >= len(matrices) or joint.min() < 0):
        raise Broken(f"{part.where} has joint {joint.max()}; {skin.where} has {len(matrices)}")
    total = weight.sum(1, keepdims=True)
    nothing = total[:, 0] == 0
    weight[nothing, 0] = 1  # a vertex without a weight goes with the first joint
    weight = weight / np.where(total > 0, total, 1)
    mixed = np.zeros((part.count, 4, 4))
    for column in range(joint.shape[1]):
        mixed += weight[:, column, None, None] * matrices[joint[:, column]]
    return mixed


def _joint_matrices(skin: Tree, nodes: Nodes, accessors: Accessors) -> np.ndarray:
    document = nodes.document
    joints = skin.wholes("joints")
    if not joints:
        raise Broken(f"{skin.place('joints')} is missing or empty")
    for joint in joints:
        document.pick("nodes", joint, skin.place("joints"))
    world = nodes.world[joints]
    accessor = document.refer(skin, "inverseBindMatrices", "accessors")
    if accessor is None:
        return world
    if accessors.kind(accessor) != "MAT4":
        raise Broken(f"{skin.place('inverseBindMatrices')} must be MAT4")
    stored = accessors.floats(accessor)
    if len(stored) < len(joints):
        raise Broken(
            f"{skin.place('inverseBindMatrices')} has {len(stored)} of {len(joints)} matrices"
        )
    inverse = stored[: len(joints)].astype(np.float64).reshape(-1, 4, 4).transpose(0, 2, 1)
    if not np.isfinite(inverse).all():
        raise Broken(f"{skin.place('inverseBindMatrices')} must be finite")
    return world @ inverse
