"""World to clip space: cameras, meshes, and what can be known of a mesh without rendering it."""

from .camera import Camera, transform_points
from .cube_map import cube_directions
from .material import Material
from .mesh import Mesh, load_mesh, save_mesh
from .normals import face_normals, vertex_normals
from .planes import planes_around
from .pose import from_blender, look_at, world_to_camera_from_opencv
from .projection import from_intrinsics, orthographic, perspective
from .remesh import remesh
from .shapes import cube, grid, icosphere, torus
from .subdivide import subdivide, subdivide_loop
from .topology import (
    connected_components,
    edge_lengths,
    edges,
    is_closed,
    is_manifold,
    is_oriented,
    laplacian,
    remove_small_components,
)
from .transforms import Frame, load_cameras
from .weld import weld

__all__ = [
    "Camera",
    "Frame",
    "Material",
    "Mesh",
    "connected_components",
    "cube",
    "cube_directions",
    "edge_lengths",
    "edges",
    "face_normals",
    "from_blender",
    "from_intrinsics",
    "grid",
    "icosphere",
    "is_closed",
    "is_manifold",
    "is_oriented",
    "laplacian",
    "load_cameras",
    "load_mesh",
    "look_at",
    "orthographic",
    "perspective",
    "planes_around",
    "remesh",
    "remove_small_components",
    "save_mesh",
    "subdivide",
    "subdivide_loop",
    "torus",
    "transform_points",
    "vertex_normals",
    "weld",
    "world_to_camera_from_opencv",
]
