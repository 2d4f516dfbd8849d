"""World to clip space: cameras, meshes, and what can be known of a mesh without rendering it."""

from .camera.camera import Camera
from .camera.cube_map import cube_directions
from .camera.load_cameras import Frame, load_cameras
from .camera.planes import planes_around
from .camera.pose import from_blender, look_at, world_to_camera_from_opencv
from .camera.projection import from_intrinsics, orthographic, perspective
from .mesh.material import Material
from .mesh.mesh import Mesh
from .mesh.mesh_file import load_mesh, save_mesh
from .mesh.normals import face_normals, vertex_normals
from .mesh.remesh import remesh
from .mesh.shapes import cube, grid, icosphere, torus
from .mesh.subdivide import subdivide, subdivide_loop
from .mesh.topology import (
    connected_components,
    edge_lengths,
    edges,
    is_closed,
    is_manifold,
    is_oriented,
    laplacian,
    remove_small_components,
)
from .mesh.weld import weld
from .ops.transform import transform_points

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
