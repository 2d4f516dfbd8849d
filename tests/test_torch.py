"""glrast.torch: the names and calls that scripts of nvdiffrast use, after one changed import."""

import inspect
import logging
from pathlib import Path

import pytest
import torch

import glrast
import glrast.torch as dr
from tests import scenes
from tests.scenes import ODD

# name, and its parameters in order with the defaults that scripts rely on
INTERFACE = {
    "RasterizeGLContext": "output_db=True, mode='automatic', device=None",
    "RasterizeCudaContext": "device=None",
    "rasterize": "ctx, pos, tri, resolution, ranges=None, grad_db=True",
    "DepthPeeler": "ctx, pos, tri, resolution, ranges=None, grad_db=True",
    "interpolate": "attr, rast, tri, rast_db=None, diff_attrs=None",
    "texture": "tex, uv, uv_da=None, mip_level_bias=None, mip=None, filter_mode='auto', boundary_mode='wrap', "
    "max_mip_level=None",
    "texture_construct_mip": "tex, max_mip_level=None, cube_mode=False",
    "antialias": "color, rast, pos, tri, topology_hash=None, pos_gradient_boost=1.0",
    "antialias_construct_topology_hash": "tri",
    "get_log_level": "",
    "set_log_level": "level",
}


@pytest.mark.parametrize("name", INTERFACE)
def test_every_name_takes_the_arguments_that_scripts_give(name):
    parameters = inspect.signature(getattr(dr, name)).parameters.values()
    said = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters]
    wanted = INTERFACE[name].split(", ") if INTERFACE[name] else []
    assert said[: len(wanted)] == wanted
    assert all("=" in extra for extra in said[len(wanted) :])  # extensions are optional
    assert getattr(glrast, name, getattr(dr, name)) is getattr(dr, name)


def test_star_import_brings_every_name():
    names = {}
    exec("from glrast.torch import *", names)
    assert set(INTERFACE) <= set(names)


def test_the_module_called_torch_hides_no_torch():
    assert dr.__name__ == "glrast.torch" and torch.__name__ == "torch"
    assert glrast.ops.rasterize.torch is torch


def test_a_script_runs_after_one_changed_import_by_position(device):
    pos, tri, col = (t.to(device) for t in scenes.closed_mesh(1))
    glctx = dr.RasterizeGLContext(True, "automatic", device)
    rast, rast_db = dr.rasterize(glctx, pos, tri, [17, 33], None, True)
    uv, uv_da = dr.interpolate(col[:, :2].contiguous(), rast, tri, rast_db, "all")
    tex = torch.rand(1, 8, 8, 3, device=device)
    mip = dr.texture_construct_mip(tex, 2, False)
    color = dr.texture(tex, uv, uv_da, None, mip, "linear-mipmap-linear", "wrap", 2)
    image = dr.antialias(color, rast, pos, tri, dr.antialias_construct_topology_hash(tri), 2.0)
    assert image.shape == (1, 17, 33, 3)
    with dr.DepthPeeler(glctx, pos, tri, [17, 33], None, True) as peeler:
        layer, _ = peeler.rasterize_next_layer()
    assert torch.equal(layer, rast)


def test_contexts_are_classes_for_isinstance_and_annotations(device):
    def render(glctx: dr.RasterizeGLContext | dr.RasterizeCudaContext):
        return isinstance(glctx, (dr.RasterizeGLContext, dr.RasterizeCudaContext))

    assert render(dr.RasterizeGLContext(device=device)) and render(dr.RasterizeCudaContext(device))
    assert not isinstance(dr.RasterizeCudaContext(device), dr.RasterizeGLContext)
    for context in (
        dr.RasterizeGLContext(device=device, mode="manual"),
        dr.RasterizeCudaContext(device),
    ):
        assert isinstance(context, dr.Context)
    manual = dr.RasterizeGLContext(mode="manual", device=device)
    manual.set_context()
    assert dr.rasterize(manual, *(t.to(device) for t in scenes.one_triangle(1)[:2]), ODD)[0].any()
    manual.release_context()


def test_the_log_level_is_a_number_from_info_to_fatal(device):
    logger = logging.getLogger("glrast")
    before = logger.level
    try:
        logger.setLevel(logging.NOTSET)
        assert dr.get_log_level() == 1
        for level, name in enumerate(("INFO", "WARNING", "ERROR", "CRITICAL")):
            dr.set_log_level(level)
            assert dr.get_log_level() == level
            assert logger.getEffectiveLevel() == getattr(logging, name)
        with pytest.raises(ValueError, match="^glrast.set_log_level: level must be 0 .* got 4"):
            dr.set_log_level(4)
    finally:
        logger.setLevel(before)


@pytest.mark.slow
def test_ten_thousand_contexts_made_and_dropped_take_no_memory(device, gl):
    def make(count):
        for _ in range(count // 2):
            dr.RasterizeGLContext(device=device)
            dr.RasterizeCudaContext(device=device)

    make(1000)
    objects, before = len(gl.objects), resident_bytes()
    make(10_000)
    assert len(gl.objects) == objects
    assert resident_bytes() - before < 1 << 20  # a hundred bytes each would show


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
