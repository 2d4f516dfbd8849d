"""What a file says it uses. glTF: a file that requires an unknown extension must not be loaded."""

from __future__ import annotations

from .container import Document
from .tree import Refused

# obeyed: they change the geometry or the base colour
READ = frozenset(
    {
        "EXT_mesh_gpu_instancing",
        "EXT_meshopt_compression",
        "EXT_texture_avif",
        "EXT_texture_webp",
        "KHR_draco_mesh_compression",
        "KHR_materials_pbrSpecularGlossiness",
        "KHR_materials_unlit",
        "KHR_mesh_quantization",
        "KHR_meshopt_compression",
        "KHR_node_visibility",
        "KHR_texture_transform",
        "MSFT_texture_dds",
    }
)
# known, and nothing of them is in a Mesh: light, animation, further layers of a material, choices
# (the file's own state stands: of variants the primitive's material, of levels of detail the finest)
IGNORED = frozenset(
    {
        "EXT_lights_ies",
        "EXT_lights_image_based",
        "EXT_mesh_features",
        "EXT_structural_metadata",
        "KHR_animation_pointer",
        "KHR_lights_punctual",
        "KHR_materials_anisotropy",
        "KHR_materials_clearcoat",
        "KHR_materials_diffuse_transmission",
        "KHR_materials_dispersion",
        "KHR_materials_emissive_strength",
        "KHR_materials_ior",
        "KHR_materials_iridescence",
        "KHR_materials_sheen",
        "KHR_materials_specular",
        "KHR_materials_transmission",
        "KHR_materials_variants",
        "KHR_materials_volume",
        "KHR_node_hoverability",
        "KHR_node_selectability",
        "KHR_xmp_json_ld",
        "MSFT_lod",
        "MSFT_packing_normalRoughnessMetallic",
        "MSFT_packing_occlusionRoughnessMetallic",
    }
)
# pictures that nothing here decodes: refused where one is the base colour and has no other source
PICTURES = {"KHR_texture_basisu": "Basis Universal"}
# they move the geometry, and are not obeyed: where they are not required, a word
MOVES = {"CESIUM_RTC": "its positions are relative to a centre that is left out"}


def check_extensions(document: Document) -> None:
    """Raises where the file requires what is not read here; notes what moves and is not obeyed."""
    required = document.root.texts("extensionsRequired")
    unknown = sorted(set(required) - READ - IGNORED - set(PICTURES))
    if unknown:
        raise Refused(
            f"must require no extension that is not read here; it requires {', '.join(unknown)}; "
            "export it without."
        )
    for name in document.root.texts("extensionsUsed"):
        if name in MOVES:
            document.note(f"uses {name}, which is not obeyed: {MOVES[name]}")
