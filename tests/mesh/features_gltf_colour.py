"""What is read of glTF's materials, row by row: base colour, texture, how it lies, what alpha means."""

import base64
import io
from urllib.parse import quote

import numpy as np
import pytest

from glrast.clip import load_mesh
from tests.mesh.features_gltf import FORMAT, TRIANGLE, load
from tests.mesh.gltf_file import GltfFile
from tests.mesh.soup import soup_of

image = pytest.importorskip("PIL.Image", reason="Pillow makes the pictures")
RED, GREEN, BLUE, GRAY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (188, 188, 188)
LINEAR_GRAY = ((188 / 255 + 0.055) / 1.055) ** 2.4  # 0.503


def picture(rows, kind="PNG", mode=None):
    pixels = image.fromarray(np.array(rows, np.uint8)).convert(mode)
    stream = io.BytesIO()
    pixels.save(stream, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return stream.getvalue()


def textured(rows, uv, info=None, sampler=None, material=None, **attributes):
    """A file of a triangle whose corners have these uv of a texture of these rows."""
    file = GltfFile()
    texture = {"source": file.add("images", {"bufferView": file.view(picture(rows))})}
    if sampler is not None:
        texture["sampler"] = file.add("samplers", sampler)
    base = {"baseColorTexture": {"index": file.add("textures", texture)} | (info or {})}
    row = {"pbrMetallicRoughness": base | (material or {}).pop("pbr", {})} | (material or {})
    found = {"TEXCOORD_0": file.accessor(np.array(uv, "<f4"))}
    for name, values in attributes.items():
        found[name] = file.accessor(np.array(values, "<f4"))
    file.show({"mesh": file.triangle(material=row, **found)})
    return file


def seen(file, folder, **more):
    """Linear rgba [3,4] at the corners of the first triangle."""
    return soup_of(load(file, folder, **more)).rgba[0].tolist()


def close(found, expected, within=1e-5):
    return np.allclose(found, np.broadcast_to(expected, np.shape(found)), atol=within)


def vertex_colours(folder):
    for kind, top in (("<f4", 1), ("u1", 255), ("<u2", 65535)):
        for width in (3, 4):
            file = GltfFile()
            values = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1]])[:, :width] * top
            color = file.accessor(values.astype(kind), normalized=top > 1, pad=-values.itemsize % 4)
            file.show({"mesh": file.triangle(COLOR_0=color)})
            expected = np.eye(3, 4) + [[0, 0, 0, float(width == 3)], [0, 0, 0, 1], [0, 0, 0, 1]]
            assert close(seen(file, folder), expected)


def factor_alone(folder):
    file = GltfFile()
    row = {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.25, 1, 0.5]}, "name": "paint"}
    file.show({"mesh": file.triangle(material=row)})
    (material,) = load(file, folder).materials
    assert material.factor == (0.5, 0.25, 1, 0.5) and material.name == "paint"


def product(folder):
    uv, white = [[0.5, 0.5]] * 3, [[1, 1, 1]] * 3
    assert close(seen(textured([[RED]], uv, COLOR_0=white), folder), [1, 0, 0, 1])
    half = {"pbr": {"baseColorFactor": [0.5, 0.5, 0.5, 1]}}
    file = textured([[GRAY]], uv, material=half, COLOR_0=[[0.5, 1, 1]] * 3)
    assert close(seen(file, folder), [LINEAR_GRAY / 4, LINEAR_GRAY / 2, LINEAR_GRAY / 2, 1])


def own_materials(folder):
    file = textured([[RED]], [[0.5, 0.5]] * 3)
    primitives = file.json["meshes"][0]["primitives"]
    plain = file.add("materials", {"pbrMetallicRoughness": {"baseColorFactor": [0, 1, 0, 1]}})
    twin = file.add("materials", {"pbrMetallicRoughness": {"baseColorFactor": [0, 1, 0, 1]}})
    position = {"POSITION": primitives[0]["attributes"]["POSITION"]}
    primitives += [{"attributes": position, "material": plain}, {"attributes": position}]
    primitives += [{"attributes": position, "material": twin}]
    mesh = load(file, folder)
    assert mesh.material.tolist() == [0, 1, 2, 1]  # equal ones are one
    rgba = soup_of(mesh).rgba[:, 0]
    assert close(rgba, [[1, 0, 0, 1], [0, 1, 0, 1], [1, 1, 1, 1], [0, 1, 0, 1]])
    assert load(textured([[RED]], [[0, 0]] * 3), folder).materials == ()  # one plain: `texture`


def samplers(folder):
    uv = [[0.25, 0.5], [0.75, 0.5], [1.25, 0.5]]
    expected = {10497: [1, 0, 1], 33648: [1, 0, 0], 33071: [1, 0, 0]}  # red at 1.25?
    for code, red in expected.items():
        sampler = {"wrapS": code, "wrapT": 33071, "magFilter": 9728}
        mesh = load(textured([[RED, GREEN]], uv, sampler=sampler), folder)
        assert mesh.materials[0].filter == "nearest" and mesh.materials[0].wrap[1] == "clamp"
        assert soup_of(mesh).rgba[0, :, 0].tolist() == pytest.approx(red)


def uv_sets(folder):
    uv = [[0.25, 0.5]] * 3
    for attributes, info, red in (
        ({}, {}, 1),
        ({"TEXCOORD_1": [[0.75, 0.5]] * 3}, {"texCoord": 1}, 0),
    ):
        file = textured([[RED, GREEN]], uv, info=info, **attributes)
        assert seen(file, folder)[0][0] == pytest.approx(red)


def integer_uv(folder):
    for kind in ("u1", "<u2"):
        file = textured([[RED, GREEN]], [[0, 0]] * 3)
        top = np.iinfo(kind).max
        values = np.array([[0.25, 0.5], [0.75, 0.5], [0.75, 0.5]]) * top
        uv = file.accessor(values.astype(kind), normalized=True, pad=2)
        file.json["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = uv
        assert [c[0] for c in seen(file, folder)] == pytest.approx([1, 0, 0])


def transforms(folder):
    rows = [[RED, GREEN], [BLUE, GRAY]]
    # scaled, then turned: u' = v/2, v' = 1 - u/2; only the lower left quarter, as the extension's text says
    change = {"offset": [0, 1], "rotation": np.pi / 2, "scale": [0.5, 0.5]}
    info = {"extensions": {"KHR_texture_transform": change}}
    file = textured(rows, [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]], info=info)
    file.uses("KHR_texture_transform", required=True)
    assert close(seen(file, folder), [0, 0, 1, 1])
    # only the offset, and another uv set than the texture's own
    change = {"offset": [0.5, 0], "texCoord": 1}
    info = {"extensions": {"KHR_texture_transform": change}}
    file = textured(rows, [[0, 0]] * 3, info=info, TEXCOORD_1=[[0.25, 0.25]] * 3)
    assert close(seen(file, folder), [0, 1, 0, 1])


def alphas(folder):
    for mode, cutoff in (("OPAQUE", None), ("BLEND", None), ("MASK", 0.25), ("MASK", None)):
        row = {"alphaMode": mode} | ({} if cutoff is None else {"alphaCutoff": cutoff})
        mesh = load(textured([[(255, 0, 0, 51)]], [[0.5, 0.5]] * 3, material=row), folder)
        material = mesh.appearance()[0][0]
        assert material.alpha == mode.lower() and material.cutoff == (cutoff or 0.5)
        assert float(material.texture[0, 0, 3]) == pytest.approx(0.2)


def unlit(folder):
    row = {"extensions": {"KHR_materials_unlit": {}}}
    file = textured([[RED]], [[0, 0]] * 3, material=row)
    file.uses("KHR_materials_unlit", required=True)
    assert load(file, folder).materials[0].unlit


def glossy(folder):
    file = textured([[GRAY]], [[0.5, 0.5]] * 3)
    (row,) = file.json["materials"]
    shine = {"diffuseTexture": {"index": 0}, "diffuseFactor": [0.5, 0, 1, 1]}
    row["extensions"] = {"KHR_materials_pbrSpecularGlossiness": shine}
    row["pbrMetallicRoughness"] = {"baseColorFactor": [0, 0, 0, 1]}  # for those who do not know it
    file.uses("KHR_materials_pbrSpecularGlossiness", required=True)
    assert close(seen(file, folder), [LINEAR_GRAY / 2, 0, LINEAR_GRAY, 1])


def pictures(folder):
    rows = [[RED, RED], [RED, RED]]
    for kind, mode in (
        ("PNG", "RGB"),
        ("PNG", "P"),
        ("PNG", "RGBA"),
        ("WEBP", "RGB"),
        ("JPEG", "RGB"),
    ):
        file = textured(rows, [[0.5, 0.5]] * 3)
        content = picture(rows, kind, mode)
        beside = {"uri": quote("my ü/pic 1.png")}
        inside = {"uri": "data:image/png;base64," + base64.b64encode(content).decode()}
        for row in ({"bufferView": file.view(content)}, beside, inside, {"uri": "my ü\\pic 1.png"}):
            file.json["images"] = [row]
            file.beside = (
                {"my ü/pic 1.png": content} if "data:" not in row.get("uri", "data:") else {}
            )
            for name, container in (("a.glb", "glb"), ("a.gltf", "inside"))[: 1 + (mode == "P")]:
                found = seen(file, folder, name=name, container=container)
                assert close(found, [1, 0, 0, 1], 0.02 if kind == "JPEG" else 1e-5)


def webp(folder):
    file = textured([[GREEN]], [[0.5, 0.5]] * 3)
    view = file.view(picture([[RED]], "WEBP"))
    other = file.add("images", {"bufferView": view, "mimeType": "image/webp"})
    file.json["textures"][0]["extensions"] = {"EXT_texture_webp": {"source": other}}
    assert close(seen(file, folder), [1, 0, 0, 1])
    with pytest.MonkeyPatch.context() as without:  # a Pillow that cannot read it: the other source
        without.setattr("glrast.mesh.files.gltf.materials.decodes", lambda kind: False)
        assert close(seen(file, folder), [0, 1, 0, 1])
        del file.json["textures"][0]["source"]
        with pytest.raises(
            ValueError, match=r"textures\[0\] is WEBP \(EXT_texture_webp\) and has no other"
        ):
            seen(file, folder)


def ktx_with_another(folder):
    file = textured([[RED]], [[0.5, 0.5]] * 3)
    file.json["textures"][0]["extensions"] = {"KHR_texture_basisu": {"source": 0}}
    file.uses("KHR_texture_basisu")
    assert close(seen(file, folder), [1, 0, 0, 1])


def no_texture(folder):
    file = textured([[RED]], [[0.5, 0.5]] * 3, material={"pbr": {"baseColorFactor": [0, 1, 0, 1]}})
    file.json["images"] = [{"uri": "gone.png"}]
    mesh = load(file, folder, texture=False)
    assert mesh.pos.tolist() == TRIANGLE and mesh.uv is None
    assert mesh.materials[0].texture is None and mesh.materials[0].factor == (0, 1, 0, 1)


def without_uv(folder):
    file = textured([[RED]], [[0, 0]] * 3)
    del file.json["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]
    path = file.write(folder / "a.glb")
    with pytest.warns(
        UserWarning, match=r"has a texture on .*primitives\[0\], which has no TEXCOORD_0"
    ):
        assert load_mesh(path).texture is None


def other_layers(folder):
    row = {
        "emissiveFactor": [1, 0, 0],
        "extensions": {"KHR_materials_clearcoat": {"clearcoatFactor": 1}},
    }
    file = GltfFile()
    file.uses("KHR_materials_clearcoat", required=True)
    file.show({"mesh": file.triangle(material=row)})
    assert close(seen(file, folder), [1, 1, 1, 1])


FEATURES = [
    (FORMAT, "vertex colours, 3 or 4 channels, floats or normalized integers, linear light", "read", vertex_colours),
    (FORMAT, "base colour factors, linear light", "read", factor_alone),
    (FORMAT, "the product of texture, vertex colour and factor, in linear light", "read", product),
    (FORMAT, "a material per triangle; equal ones become one", "read", own_materials),
    (FORMAT, "samplers: repeat, mirror, clamp; nearest, linear", "read", samplers),
    (FORMAT, "several uv sets", "read", uv_sets),
    (FORMAT, "uv in integers", "read", integer_uv),
    (FORMAT, "KHR_texture_transform, baked into uv", "read", transforms),
    (FORMAT, "alphaMode and alphaCutoff", "read", alphas),
    (FORMAT, "KHR_materials_unlit", "read", unlit),
    (FORMAT, "KHR_materials_pbrSpecularGlossiness: its diffuse colour", "read", glossy),
    (FORMAT, "pictures: PNG, JPEG, WebP in the file, beside it, in data URIs", "read", pictures),
    (FORMAT, "EXT_texture_webp", "read", webp),
    (FORMAT, "KHR_texture_basisu beside another source: the other", "read", ktx_with_another),
    (FORMAT, "without its pictures: load_mesh(texture=False)", "read", no_texture),
    (FORMAT, "a texture where there is no uv (a warning)", "ignored", without_uv),
    (FORMAT, "metal, roughness, normal and emissive textures, further layers of a material", "ignored", other_layers),
]  # fmt: skip
