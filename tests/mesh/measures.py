"""What the tests of meshes measure: volume, area, Euler's number."""

import torch

from glrast.clip import edges, face_normals


def volume(pos, tri) -> float:
    """Of a closed mesh; positive where triangles are counter-clockwise from outside."""
    a, b, c = pos[tri.long()].unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum() / 6)


def area(pos, tri) -> float:
    return float(face_normals(pos, tri, unit=False).norm(dim=1).sum() / 2)


def euler(tri) -> int:
    """Vertices - edges + triangles: 2 for each sphere, 0 for a torus."""
    return len(tri.unique()) - len(edges(tri)) + len(tri)
