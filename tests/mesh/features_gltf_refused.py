"""What is refused of glTF, and by which words; what is written."""

import json
import struct
import zlib

import numpy as np
import pytest
import torch

from glrast.clip import Mesh, load_mesh, save_mesh
from glrast.mesh.material import Material
from tests.mesh.features_gltf import FORMAT, TRIANGLE, corners, of
from tests.mesh.features_gltf_colour import RED, picture, textured
from tests.mesh.gltf_file import GltfFile

WRITTEN = ".glb"


def refused(file, folder, words, error=ValueError, name="a.glb"):
    path = file.write(folder / name, "glb" if name.endswith("glb") else "beside")
    with pytest.raises(error, match=rf"^glrast\.clip\.load_mesh: .*{name}.*{words}"):
        load_mesh(path)


def required(folder):
    file = of({})
    file.uses("OWN_shape", required=True)
    refused(file, folder, r"requires OWN_shape; export it without")


def ktx(folder):
    file = textured([[RED]], [[0, 0]] * 3)
    file.json["textures"] = [{"extensions": {"KHR_texture_basisu": {"source": 0}}}]
    file.uses("KHR_texture_basisu", required=True)
    refused(file, folder, r"textures\[0\] is Basis Universal \(KHR_texture_basisu\).*texture=False")
    assert load_mesh(folder / "a.glb", texture=False).pos.tolist() == TRIANGLE
    file = textured([[RED]], [[0, 0]] * 3)
    file.json["images"] = [{"bufferView": file.view(b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(64))}]
    path = file.write(folder / "b.glb")
    with pytest.raises(
        ValueError, match=r"images\[0\] of .*b\.glb must be .*KTX2.*KHR_texture_basisu"
    ):
        load_mesh(path)


def missing_picture(folder):
    file = textured([[RED]], [[0, 0]] * 3)
    file.json["images"] = [{"uri": "gone%20away.png"}]
    words = r"images\[0\].uri is 'gone%20away.png'.* no such file.*texture=False.*--no-texture"
    refused(file, folder, words, FileNotFoundError)


def broken_picture(folder):
    file = textured([[RED]], [[0, 0]] * 3)
    content = picture(np.random.default_rng(0).integers(0, 255, (40, 40, 3)))
    file.json["images"] = [{"bufferView": file.view(content[:200])}]
    path = file.write(folder / "a.glb")
    with pytest.raises(
        ValueError, match=r"images\[0\] of .*a\.glb must be an image; .*texture=False"
    ):
        load_mesh(path)


def huge_picture(folder):
    file = textured([[RED]], [[0, 0]] * 3)
    head = b"IHDR" + struct.pack(">IIBBBBB", 9000, 9000, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + head + struct.pack(">I", zlib.crc32(head))
    file.json["images"] = [{"bufferView": file.view(content + b"\0\0\0\0IDAT\x35\xaf\x06\x1e")}]
    path = file.write(folder / "a.glb")
    with pytest.raises(
        ValueError, match=r"images\[0\] of .*a\.glb must .* 9000 x 9000 pixels, more than"
    ):
        load_mesh(path)


def missing_buffer(folder):
    file = of({})
    file.write(folder / "a.gltf", "beside")
    (folder / "data 0.bin").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"a\.gltf must have its files beside it; buffers\[0\].uri"
    ):
        load_mesh(folder / "a.gltf")
    tree = json.loads((folder / "a.gltf").read_text())
    tree["buffers"][0]["uri"] = "https://example.org/a.bin"
    (folder / "b.gltf").write_text(json.dumps(tree))
    with pytest.raises(
        ValueError, match=r"b\.gltf must name files beside it; .*https://example.org"
    ):
        load_mesh(folder / "b.gltf")


def beyond_the_buffer(folder):
    file = of({})
    file.json["accessors"][0]["count"] = 4
    refused(file, folder, r"accessors\[0\] ends at byte 48 of bufferViews\[0\], which has 36")


def no_bytes_behind(folder):
    file = GltfFile()
    row = {"componentType": 5126, "count": 300_000_000, "type": "VEC3"}
    refused(
        of({"file": file}, file.add("accessors", row)), folder, r"counts 300000000 elements without"
    )


def too_many(folder):
    instancing = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 1}}}
    file = of({}, np.zeros((30_000, 3)), [{"mesh": 0, "extensions": instancing}])
    file.accessor(np.zeros((30_000, 3), "<f4"))
    refused(file, folder, r"at most \d+ vertices and corners .* instances counted")


def not_finite(folder):
    for name in ("POSITION", "COLOR_0", "TEXCOORD_0"):
        values = np.zeros((3, 2 if name == "TEXCOORD_0" else 3), "<f4")
        values[1, 0] = np.nan
        file = GltfFile()
        bad = {name: file.accessor(values)}
        refused(of({"file": file, "attributes": bad}), folder, rf"attributes.{name} must be finite")


def points_alone(folder):
    refused(of({"mode": 0}), folder, r"must have triangles; found none; it has points")


def restart(folder):
    file = GltfFile()
    index = file.accessor(np.array([0, 1, 2, 255, 0, 1, 2], "u1"))
    refused(
        of({"file": file, "mode": 5, "indices": index}), folder, r"no primitive restart.* holds 255"
    )


def wrong_index(folder):
    file = GltfFile()
    index = file.accessor(np.array([0, 1, 3], "u1"))
    refused(
        of({"file": file, "indices": index}),
        folder,
        r"faces of its 3 vertices; got indices from 0 to 3",
    )


def circles(folder):
    nodes = [{"mesh": 0, "children": [1]}, {"children": [0]}]
    refused(of({}, nodes=nodes), folder, r"children of each other in a circle")
    nodes = [{"mesh": 0}, {"children": [0]}, {"children": [0]}]
    refused(of({}, nodes=nodes), folder, r"nodes\[0\] is the child of nodes\[1\] and of nodes\[2\]")


def draco_missing(folder):
    patch = pytest.MonkeyPatch()
    file = of({"extensions": {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {}}}})
    with patch.context() as context:
        context.setitem(__import__("sys").modules, "DracoPy", None)
        path = file.write(folder / "b.glb")
        assert corners(load_mesh(path)) == [TRIANGLE]  # it lies there uncompressed too
        file.uses("KHR_draco_mesh_compression", required=True)
        refused(file, folder, r"Draco .*needs DracoPy; .*pip install DracoPy", ImportError)


def deep(folder):
    path = folder / "a.gltf"
    path.write_text('{"asset":' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(
        ValueError, match=r"a\.gltf must be a gltf file; its JSON .* nested too deep"
    ):
        load_mesh(path)
    path.write_text('{"asset": {"version": "1.0"}}')
    with pytest.raises(ValueError, match=r"its asset.version must be 2.0; it is '1.0'"):
        load_mesh(path)
    path.write_text('{"asset": {"version": "2.1", "minVersion": "2.1"}}')
    with pytest.raises(ValueError, match=r"a\.gltf must be readable as glTF 2.0; it wants '2.1'"):
        load_mesh(path)


# -- written -----------------------------------------------------------------------------------------


def square(**more):
    pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    return Mesh(pos, torch.tensor([[0, 1, 2], [0, 2, 3]]), **more)


def written(mesh, folder, **more):
    """(the JSON of the file, the mesh read again)."""
    save_mesh(folder / "a.glb", mesh, **more)
    content = (folder / "a.glb").read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + length]), load_mesh(folder / "a.glb")


def write_geometry(folder):
    normal = torch.tensor([[0.0, 0, 1]]).expand(4, 3)
    tree, back = written(square(normal=normal), folder)
    assert torch.equal(back.pos, square().pos) and torch.equal(back.tri, square().tri)
    assert torch.equal(back.normal, normal)
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    assert (accessor["min"], accessor["max"]) == ([0, 0, 0], [1, 1, 0])


def write_colours(folder):
    color = torch.tensor([[0.5, 0.25, 1, 0.75]]).expand(4, 4)
    tree, back = written(square(color=color), folder)
    assert torch.allclose(back.color, color, atol=1e-6)


def write_materials(folder):
    picture = (torch.arange(64).reshape(4, 4, 4) / 255).float()
    leaf = Material(
        "leaf",
        texture=picture,
        wrap=("mirror", "clamp"),
        filter="nearest",
        alpha="mask",
        cutoff=0.25,
    )
    glass = Material("glass", factor=(1, 0.5, 0, 0.5), alpha="blend", unlit=True)
    uv = torch.tensor([[0.0, 0], [1, 0], [1, 1]])
    mesh = square(
        uv=uv,
        uv_tri=torch.tensor([[0, 1, 2], [0, 0, 0]]),
        materials=(glass, leaf),
        material=torch.tensor([1, 0]),
    )
    tree, back = written(mesh, folder)
    assert tree["extensionsUsed"] == ["KHR_materials_unlit"]
    assert all(m["pbrMetallicRoughness"]["metallicFactor"] == 0 for m in tree["materials"])
    assert back.material.tolist() == [0, 1]  # sorted by material
    for found, given in zip(back.materials, (glass, leaf), strict=True):
        for name in ("name", "factor", "wrap", "filter", "alpha", "unlit"):
            assert getattr(found, name) == getattr(given, name)
    assert back.materials[1].cutoff == 0.25
    assert torch.allclose(back.materials[1].texture, picture, atol=1e-6)
    assert torch.equal(back.uv[back.uv_tri[1].long()], uv)


def write_origin(folder):
    pos = square().pos - 0.5  # its middle is at 0, as reading splits it
    mesh = Mesh(pos, square().tri, origin=(500_000.0, 5_000_000.0, 100.0))
    tree, back = written(mesh, folder)
    assert tree["nodes"][0]["translation"] == [500_000, 5_000_000, 100]
    assert back.origin == mesh.origin and torch.equal(back.pos, pos)


def write_up(folder):
    for up, x, y, z in (
        ("z", "x", "z", "-y"), ("y", "x", "y", "z"), ("x", "-y", "x", "z"), ("-y", "x", "-y", "-z"),
        ((0, 0, 2), "x", "z", "-y"),
    ):  # fmt: skip
        mesh = Mesh(square().pos + torch.tensor([0.0, 1, 2]), square().tri, origin=(5.0, 6.0, 7.0))
        tree, back = written(mesh, folder, up=up)
        world = mesh.pos + torch.tensor(mesh.origin).float()
        wanted = [
            (-1 if axis[0] == "-" else 1) * world[:, "xyz".index(axis[-1])] for axis in (x, y, z)
        ]
        # what other programs see: the node's matrix, stored by columns, of the positions
        node = torch.tensor(tree["nodes"][0].get("matrix", torch.eye(4).reshape(-1).tolist()))
        place = node.reshape(4, 4).T
        moved = mesh.pos @ place[:3, :3].T + place[:3, 3]
        moved = moved if "matrix" in tree["nodes"][0] else world
        assert torch.equal(moved, torch.stack(wanted, 1)), up
        assert torch.equal(back.pos + torch.tensor(back.origin).float(), world), up
    with pytest.raises(ValueError, match=r"save_mesh: up must be one of x, y, .*got 'w'"):
        save_mesh(folder / "a.glb", square(), up="w")
    with pytest.raises(ValueError, match=r"save_mesh: up must be None but for glb; got 'z'"):
        save_mesh(folder / "a.obj", square(), up="z")


FEATURES = [
    (FORMAT, "required extensions that are not known", "refused", required),
    (FORMAT, "KHR_texture_basisu alone", "refused", ktx),
    (FORMAT, "pictures that are missing", "refused", missing_picture),
    (FORMAT, "pictures that are broken", "refused", broken_picture),
    (FORMAT, "pictures of more than 8192 x 8192 pixels", "refused", huge_picture),
    (FORMAT, "buffers that are missing or on the network", "refused", missing_buffer),
    (FORMAT, "accessors beyond their buffer", "refused", beyond_the_buffer),
    (FORMAT, "accessors of any size without a buffer", "refused", no_bytes_behind),
    (FORMAT, "instances without end", "refused", too_many),
    (FORMAT, "positions, colours, uv that are no numbers", "refused", not_finite),
    (FORMAT, "points and lines alone", "refused", points_alone),
    (FORMAT, "primitive restart", "refused", restart),
    (FORMAT, "indices beyond the vertices", "refused", wrong_index),
    (FORMAT, "nodes in a circle, or with two parents", "refused", circles),
    (FORMAT, "KHR_draco_mesh_compression without DracoPy", "refused", draco_missing),
    (FORMAT, "JSON nested without end; other versions than 2", "refused", deep),
    (WRITTEN, "positions, triangles, normals", "written", write_geometry),
    (WRITTEN, "vertex colours, as floats in linear light", "written", write_colours),
    (WRITTEN, "materials: factor, texture (PNG), sampler, alpha mode and cut-off, unlit; sorted by them", "written",
     write_materials),
    (WRITTEN, "an origin in float64, as the node's translation", "written", write_origin),
    (WRITTEN, "y upwards: save_mesh(up=...) turns the node, load_mesh takes it back", "written", write_up),
]  # fmt: skip
