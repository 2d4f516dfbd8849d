"""The scene of a random glTF file: primitives of all modes, nodes, instances, skins, morph targets."""

import numpy as np

from tests.mesh.random_gltf import Drawn
from tests.mesh.soup import Soup

POSITIONS = ("f4", "f4", "f4", "i1n", "i2n", "u1n", "u2n", "i1", "i2", "u1", "u2")
COLORS = ("f4", "u1n", "u2n")


def scene(make):
    """Adds meshes, nodes and scenes to the file; the soups of what it shows, in order."""
    make.bones = None
    meshes = [mesh(make, skinned=False) for _ in range(make.rng.integers(1, 4))]
    if make.chance(0.15):
        make.bones = bones(make)
        meshes.append(mesh(make, skinned=True))
    count = int(make.rng.integers(1, 7))
    rows, worlds, soups = [], [], []
    first = len(make.file.json.get("nodes", []))
    parents = [-1] + [int(make.rng.integers(-1, i)) for i in range(1, count)]
    for i in range(count):
        row, local = placed(make)
        worlds.append(local if parents[i] < 0 else worlds[parents[i]] @ local)
        rows.append(row)
    for i, parent in enumerate(parents):
        if parent >= 0:
            rows[parent].setdefault("children", []).append(first + i)
    for i, row in enumerate(rows):
        soups.append(content(make, row, worlds[i], meshes))
        if make.chance(0.05):
            make.file.uses("KHR_node_visibility")
            row["extensions"] = row.get("extensions", {}) | {
                "KHR_node_visibility": {"visible": False}
            }
        make.file.add("nodes", row)
    roots = [first + i for i, parent in enumerate(parents) if parent < 0]
    joints = [] if make.bones is None else [make.bones["root"]]
    number = make.file.add("scenes", {"nodes": joints + roots})
    if make.chance(0.3):  # another scene, empty; the file says which is meant
        make.file.json["scenes"].insert(0, {"nodes": []})
        number += 1
        make.file.json["scene"] = number
    elif make.chance(0.5):
        make.file.json["scene"] = number
    return visible(rows, first, roots, soups)


def visible(rows, first, roots, soups):
    found, waiting = [], roots[::-1]
    while waiting:
        index = waiting.pop() - first
        if "KHR_node_visibility" in rows[index].get("extensions", {}):
            continue
        found += soups[index]
        waiting += rows[index].get("children", [])[::-1]
    return found


def content(make, row, world, meshes):
    """Gives the node a mesh, perhaps with instances, weights, a skin; the soups that it shows."""
    if make.chance(0.1):
        row["camera"] = 0
        make.file.json["cameras"] = [
            {"type": "perspective", "perspective": {"yfov": 1, "znear": 1}}
        ]
        return []
    number, drawn, weights, skinned, targets = meshes[make.rng.integers(len(meshes))]
    row["mesh"] = number
    if targets and make.chance(0.5):
        weights = make.rng.uniform(-1, 1, targets).tolist()
        row["weights"] = weights
    skin = None
    matrices = [world]
    if skinned:
        row["skin"], skin = 0, make.bones["matrices"]
    elif make.chance(0.15):
        matrices = [world @ m for m in instances(make, row)]
    soups = []
    for matrix in matrices:
        if skin is None and np.linalg.matrix_rank(matrix[:3, :3]) < 3:
            continue  # shrunk to nothing
        soups += [d.soup(weights, matrix, skin) for d in drawn]
    return [Soup(s.pos, s.rgba, s.look) for s in soups if len(s.pos)]


def mesh(make, skinned):
    """(index, its primitives, weights, whether a skin moves it, number of morph targets)."""
    targets = int(make.of(0, 0, 0, 1, 2))
    rows, drawn = [], []
    for _ in range(make.rng.integers(1, 4)):
        kind = make.of(
            "triangles", "triangles", "triangles", "triangles", "triangles", "lines", "bare"
        )
        row, primitive_drawn = primitive(make, targets, skinned)
        if kind == "lines":
            row["mode"] = int(make.of(0, 1, 2, 3))
        elif kind == "bare":
            del row["attributes"]["POSITION"]
        else:
            drawn.append(primitive_drawn)
        if row["attributes"]:
            rows.append(row)
    if not rows:
        return mesh(make, skinned)
    mesh_row, weights = {"primitives": rows}, [0.0] * targets
    if targets and make.chance(0.7):
        weights = make.rng.uniform(-1, 1, targets).tolist()
        mesh_row["weights"] = weights
    return make.file.add("meshes", mesh_row), drawn, weights, skinned, targets


def primitive(make, targets, skinned):
    V, mode = int(make.rng.integers(3, 13)), int(make.of(4, 4, 5, 6))
    row, order = {"attributes": {}}, np.arange(V)
    if make.chance(0.75):
        kind = make.of("<u1", "<u2", "<u4")
        order = make.rng.integers(0, V, int(make.rng.integers(1, 6)) * 3)
        row["indices"] = make.file.accessor(order.astype(kind), offset=make.of(0, 4))
    elif mode == 4:
        V = V // 3 * 3
        order = np.arange(V)
    if mode != 4 or make.chance(0.2):
        row["mode"] = mode
    accessor, pos = make.numbers(V, 3, POSITIONS)
    row["attributes"]["POSITION"] = accessor
    make.file.uses("KHR_mesh_quantization", required=True)
    if make.chance(0.3):
        row["attributes"]["NORMAL"] = make.numbers(V, 3, ("f4", "i1n", "i2n"))[0]
    rgba = np.ones((V, 4))
    if make.chance(0.4):
        width = int(make.of(3, 4))
        accessor, color = make.numbers(V, width, COLORS)
        row["attributes"]["COLOR_0"] = accessor
        rgba[:, :width] = np.clip(color, 0, 1)
    paint = make.paints[make.rng.integers(len(make.paints))]
    if paint.index is not None:
        row["material"] = paint.index
    uv = None if paint.texels is None else coordinates(make, row, paint, V)
    deltas, stored = [], []
    for _ in range(targets):
        accessor, delta = make.numbers(V, 3, ("f4", "i1n"))
        stored.append({"POSITION": accessor})
        deltas.append(delta)
    if targets:
        row["targets"] = stored
    joints = influences(make, row, V) if skinned else None
    return row, Drawn(corners(order, mode), pos, deltas, rgba, uv, paint, joints)


def corners(order, mode):
    """[T,3] of a list, a strip or a fan, by the specification's formulas."""
    n = len(order)
    if mode == 4:
        return order.reshape(-1, 3)
    if mode == 6:
        return np.array([[order[i + 1], order[i + 2], order[0]] for i in range(n - 2)])
    rows = [[order[i], order[i + 1 + i % 2], order[i + 2 - i % 2]] for i in range(n - 2)]
    return np.array([r for r in rows if len(set(r)) == 3], dtype=int).reshape(-1, 3)


def coordinates(make, row, paint, V):
    """uv [V,2] as the texture is asked for them: near the middle of texels, so that rounding changes none."""
    size = np.array(paint.texels.shape[1::-1])
    exact = paint.matrix is None and make.chance(0.4)  # in integers, 0..1
    low, high = (0, size) if exact else (-size, 2 * size)
    cell = make.rng.integers(low, high, (V, 2)) + make.rng.uniform(0.3, 0.7, (V, 2))
    uv = wanted = cell / size
    if paint.matrix is not None:
        uv = (wanted - paint.matrix[:, 2]) @ np.linalg.inv(paint.matrix[:, :2]).T
    stored, normalized = uv.astype("<f4"), False
    if exact:
        kind = make.of("<u1", "<u2")
        stored, normalized = np.round(uv * np.iinfo(kind).max).astype(kind), True
    row["attributes"][f"TEXCOORD_{paint.texcoord}"] = make.stored(stored, normalized)
    for other in range(paint.texcoord):  # sets have no gaps
        row["attributes"][f"TEXCOORD_{other}"] = make.numbers(V, 2, ("f4",))[0]
    return wanted


def matrix_of(make, row, scale):
    """Writes a transform into a node, whole or in parts; returns it, [4,4]."""
    x, y, z, w = q = make.rng.normal(size=4)
    x, y, z, w = q = q / np.linalg.norm(q)
    turn = np.eye(3) + 2 * w * cross(x, y, z) + 2 * cross(x, y, z) @ cross(x, y, z)
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * scale, make.rng.uniform(-2, 2, 3)
    if make.chance(0.3):
        row["matrix"] = matrix.T.reshape(-1).tolist()
    else:
        row |= {
            "translation": matrix[:3, 3].tolist(),
            "rotation": q.tolist(),
            "scale": scale.tolist(),
        }
    return matrix


def placed(make):
    row = {"name": make.of("a", "b")}
    if make.chance(0.3):
        return row, np.eye(4)
    scale = make.rng.uniform(0.3, 1.5, 3) * make.rng.choice([-1, 1], 3, p=(0.2, 0.8))
    if make.chance(0.07):
        scale = np.zeros(3)
    return row, matrix_of(make, row, scale)


def cross(x, y, z):
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def instances(make, row):
    count = int(make.rng.integers(1, 4))
    found = {"TRANSLATION": make.rng.uniform(-3, 3, (count, 3)).astype("<f4")}
    scale = make.rng.uniform(0.5, 2, (count, 3)).astype("<f4")
    if make.chance(0.6):
        found["SCALE"] = scale
    quaternion = np.tile([0, 0, np.sin(0.4), np.cos(0.4)], (count, 1)).astype("<f4")
    if make.chance(0.6):
        found["ROTATION"] = quaternion
    make.file.uses("EXT_mesh_gpu_instancing", required=True)
    attributes = {name: make.file.accessor(values) for name, values in found.items()}
    row["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    matrices = np.tile(np.eye(4), (count, 1, 1))
    if "ROTATION" in found:
        cos, sin = np.cos(0.8), np.sin(0.8)
        matrices[:, :2, :2] = [[cos, -sin], [sin, cos]]
    if "SCALE" in found:
        matrices[:, :3, :3] *= scale[:, None, :].astype(float)
    matrices[:, :3, 3] = found["TRANSLATION"]
    return matrices


def bones(make):
    """Two joints, one the child of the other, and a skin; its matrices at the rest pose."""
    first = len(make.file.json.get("nodes", []))
    rows = [{"children": [first + 1]}, {}]
    world = []
    for row in rows:
        local = matrix_of(make, row, np.full(3, 1.2))
        world.append(local if not world else world[0] @ local)
        make.file.add("nodes", row)
    skin, matrices = {"joints": [first, first + 1]}, world
    if make.chance(0.7):
        inverse = np.tile(np.eye(4, dtype="<f4"), (2, 1, 1))
        inverse[:, :3, :3] += make.rng.uniform(-0.2, 0.2, (2, 3, 3))
        inverse[:, :3, 3] = make.rng.uniform(-1, 1, (2, 3))
        stored = inverse.transpose(0, 2, 1).reshape(2, 16)  # by columns
        skin["inverseBindMatrices"] = make.file.accessor(stored)
        matrices = [w @ m for w, m in zip(world, inverse.astype(float))]
    make.file.add("skins", skin)
    return {"root": first, "matrices": matrices}


def influences(make, row, V):
    """JOINTS and WEIGHTS, of four or eight; (joint [V,8], weight [V,8])."""
    sets = int(make.of(1, 2))
    joint = np.zeros((V, 8), int)
    weight = np.zeros((V, 8))
    for n in range(sets):
        joint[:, 4 * n : 4 * n + 4] = make.rng.integers(0, 2, (V, 4))
        kind = make.of("f4", "u1n", "u2n")
        top = 1 if kind == "f4" else np.iinfo("<" + kind[:2]).max
        raw = make.rng.integers(1, 200, (V, 4)) * (1 / 200 if top == 1 else 1)
        stored = raw.astype("<" + kind[:2])
        weight[:, 4 * n : 4 * n + 4] = stored / float(top)
        row["attributes"][f"WEIGHTS_{n}"] = make.file.accessor(stored, kind != "f4")
        kind = make.of("<u1", "<u2")
        row["attributes"][f"JOINTS_{n}"] = make.file.accessor(
            joint[:, 4 * n : 4 * n + 4].astype(kind)
        )
    return joint, weight / weight.sum(1, keepdims=True)
