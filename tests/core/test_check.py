"""Every message about a wrong argument: the operation, the argument, what was expected, what was found."""

import re

import numpy as np
import pytest
import torch

import glrast
from tests import scenes
from tests.scenes import ODD

POS, TRI, ATTR = scenes.one_triangle(2)
RAST = torch.zeros(2, *ODD, 4)
COLOR = torch.zeros(2, *ODD, 3)


RASTERIZE = [
    (dict(pos=POS.numpy()), TypeError, "pos must be a torch tensor; got ndarray"),
    (dict(pos=POS.double()), TypeError, "pos must be float32; got float64: convert it with pos.float()"),
    (dict(pos=POS.half()), TypeError, "pos must be float32; got float16: convert it with pos.float()"),
    (dict(pos=POS[0]), ValueError, "pos must be [N,V,4] ([V,4] needs ranges; for one image use pos[None]); got [3,4]"),
    (dict(pos=POS[..., :3]), ValueError, "[V,4] needs ranges; for one image use pos[None]); got [2,3,3]"),
    (dict(ranges=[[0, 1]]), ValueError, "pos must be [V,4] when ranges is given; got [2,3,4]"),
    (dict(pos=POS.to("meta")), ValueError, "pos must be on {device} like the other tensors; it is on meta: "
                                           "move it with pos.to('{device}')"),
    (dict(tri=TRI.float()), TypeError, "tri must be int32 or int64; got float32: convert it with tri.int()"),
    (dict(tri=TRI.bool()), TypeError, "tri must be int32 or int64; got bool: convert it with tri.int()"),
    (dict(pos=TRI, tri=POS), TypeError, "pos must be float32 and tri int32 or int64; got pos int32 [1,3] and tri "
                                        "float32 [2,3,4]: they look swapped, pos comes before tri"),
    (dict(pos=TRI.long(), tri=POS.double()), TypeError, "got pos int64 [1,3] and tri float64 [2,3,4]: they look "),
    (dict(tri=TRI[0]), ValueError, "tri must be [T,3]; got [3]"),
    (dict(tri=TRI[:, :2]), ValueError, "tri must be [T,3]; got [1,2]"),
    (dict(tri=[[0, 1, 2]]), TypeError, "tri must be a torch tensor; got list"),
    (dict(pos=POS[0], ranges=[[0, 2]]), ValueError, "ranges must lie within tri, first >= 0 and first + count <= T=1; "
                                                    "row 0 is [0, 2]"),
    (dict(pos=POS[0], ranges=[[0, 1], [-1, 1]]), ValueError, "first + count <= T=1; row 1 is [-1, 1]"),
    (dict(pos=POS[0], ranges=[[0, -1]]), ValueError, "first + count <= T=1; row 0 is [0, -1]"),
    (dict(pos=POS[0], ranges=[0, 1]), ValueError, "ranges must be [N,2], rows (first triangle, count); got [2]"),
    (dict(pos=POS[0], ranges=[[0.0, 1.0]]), ValueError, "ranges must be integers; got torch.float32"),
    (dict(cull="backs"), ValueError, "cull must be 'none', 'back' or 'front'; got 'backs'"),
    (dict(ctx="cpu"), TypeError, "ctx must be a glrast.Context; got str"),
    (dict(ctx=glrast.Context), TypeError, "ctx must be a glrast.Context; got type"),
]  # fmt: skip

INTERPOLATE = [
    (dict(attr=ATTR.double()), TypeError, "attr must be float32; got float64: convert it with attr.float()"),
    (dict(attr=ATTR.int()), TypeError, "attr must be float32; got int32"),
    (dict(attr=None), TypeError, "attr must be a torch tensor; got NoneType"),
    (dict(attr=ATTR[0]), ValueError, "attr must be [V,A], [1,V,A] or [N,V,A] with N=2 (from rast); got [3]"),
    (dict(attr=ATTR.expand(3, 3, 3)), ValueError, "or [N,V,A] with N=2 (from rast); got [3,3,3]"),
    (dict(attr=ATTR.to("meta")), ValueError, "attr must be on {device} like the other tensors; it is on meta"),
    (dict(rast=RAST[0]), ValueError, "rast must be [N,H,W,4]; got [17,33,4]"),
    (dict(rast=RAST[..., :3]), ValueError, "rast must be [N,H,W,4]; got [2,17,33,3]"),
    (dict(rast=RAST.long()), TypeError, "rast must be float32; got int64"),
    (dict(tri=TRI.double()), TypeError, "tri must be int32 or int64; got float64"),
    (dict(diff_attrs="all"), ValueError, "rast_db must be given when diff_attrs is; got None: "
                                          "pass the second result of rasterize"),
    (dict(diff_attrs="every"), ValueError, "diff_attrs must be None, 'all' or a list of ints; got 'every'"),
    (dict(diff_attrs=2), TypeError, "diff_attrs must be None, 'all' or a list of ints; got 2"),
    (dict(diff_attrs=[0.5]), TypeError, "diff_attrs must be None, 'all' or a list of ints; got [0.5]"),
    (dict(diff_attrs=[3], rast_db=RAST), IndexError, "diff_attrs holds 3, but attr has 3 attributes: 0 to 2"),
    (dict(diff_attrs=[0, -4], rast_db=RAST), IndexError, "diff_attrs holds -4, but attr has 3 attributes: 0 to 2"),
    (dict(diff_attrs=[0], rast_db=RAST[..., :0]), ValueError, "rast_db must be [2,17,33,4] like rast (a context with "
                                                              "output_db=False makes none); got [2,17,33,0]"),
]  # fmt: skip

ANTIALIAS = [
    (dict(color=COLOR.byte()), TypeError, "color must be float32; got uint8: convert it with color.float()"),
    (dict(color=COLOR[0]), ValueError, "color must be [N,H,W,C]; got [17,33,3]"),
    (dict(color=COLOR.permute(0, 3, 1, 2)), ValueError, "color must be [N,H,W,C]; got [2,3,17,33]: its channels come "
                                                        "first; pass color.permute(0, 2, 3, 1)"),
    (dict(color=COLOR[0].permute(2, 0, 1)), ValueError, "color must be [N,H,W,C]; got [3,17,33]: its channels come "
                                                        "first; pass color.permute(1, 2, 0)[None]"),
    (dict(rast=RAST[:1]), ValueError, "rast must be [N,H,W,4] with N=2, H=17, W=33 (from color [N,H,W,C], which is "
                                      "[2,17,33,3]); got [1,17,33,4]"),
    (dict(rast=RAST.flatten(1, 2)), ValueError, "(from color [N,H,W,C], which is [2,17,33,3]); got [2,561,4]"),
    (dict(color=torch.zeros(2, 8, 8, 8), rast=torch.zeros(2, 8, 8, 3)), ValueError, "rast must be [N,H,W,4] with N=2"),
    (dict(pos=TRI, tri=POS), TypeError, "they look swapped, pos comes before tri"),
    (dict(pos=POS[..., :3]), ValueError, "pos must be [N,V,4], [1,V,4] or [V,4] with N=2, H=17, W=33 (from color); "
                                         "got [2,3,3]"),
    (dict(pos=POS[:1].expand(3, 3, 4)), ValueError, "with N=2, H=17, W=33 (from color); got [3,3,4]"),
    (dict(tri=TRI.to("meta")), ValueError, "tri must be on {device} like the other tensors; it is on meta"),
    (dict(tri=TRI.T), ValueError, "tri must be [T,3]; got [3,1]"),
    (dict(topology_hash=TRI), TypeError, "must come from antialias_construct_topology_hash(tri); got Tensor"),
]  # fmt: skip


@pytest.mark.parametrize("change, error, message", RASTERIZE)
def test_rasterize_names_what_is_wrong(device, change, error, message):
    refuses(
        "rasterize",
        dict(ctx=glrast.Context(device), pos=POS, tri=TRI, resolution=ODD),
        change,
        error,
        message,
        device,
    )


@pytest.mark.parametrize("change, error, message", INTERPOLATE)
def test_interpolate_names_what_is_wrong(device, change, error, message):
    refuses("interpolate", dict(attr=ATTR, rast=RAST, tri=TRI), change, error, message, device)


@pytest.mark.parametrize("change, error, message", ANTIALIAS)
def test_antialias_names_what_is_wrong(device, change, error, message):
    refuses(
        "antialias", dict(color=COLOR, rast=RAST, pos=POS, tri=TRI), change, error, message, device
    )


def test_constructing_a_topology_names_what_is_wrong():
    with pytest.raises(
        ValueError,
        match=re.escape("glrast.antialias_construct_topology_hash: tri must be [T,3]; got [4]"),
    ):
        glrast.antialias_construct_topology_hash(torch.zeros(4, dtype=torch.int32))


@pytest.mark.parametrize(
    "resolution",
    [(0, 5), (5, 0), (-1, 5), (5,), (5, 5, 5), (), 5, "64", (5.5, 5), (float("nan"), 5), (float("inf"), 5), None,
     (1 << 21, 5), (5, 10**30), np.array([[5, 5]]), torch.tensor(5), ("a", "b")],
)  # fmt: skip
def test_a_resolution_that_is_none_is_named(device, resolution):
    wanted = "glrast.rasterize: resolution must be (height, width), two whole numbers from 1 to 1048576; got "
    with pytest.raises(ValueError, match=re.escape(wanted)):
        glrast.rasterize(glrast.Context(device), POS.to(device), TRI.to(device), resolution)


@pytest.mark.parametrize("T", [0, 1])
def test_a_resolution_beyond_memory_is_named(device, T):
    # nine images: beyond the address space, whatever the system promises
    pos = POS[:1].expand(9, -1, -1).to(device)
    wanted = (
        "glrast.rasterize: resolution must be such that the result fits into memory; got (1000000, 1000000), "
        f"which takes 324,000 GB on {device} for N=9: draw smaller images, or fewer at once"
    )
    with pytest.raises(RuntimeError, match=re.escape(wanted)):
        glrast.rasterize(glrast.Context(device), pos, TRI[:T].to(device), (10**6, 10**6))


@pytest.mark.parametrize("device_name", ["tpu", "cuda:x", object(), 1.5, "meta", "mps"])
def test_a_device_that_is_none_is_named(device_name):
    with pytest.raises(ValueError, match="glrast.Context: device must be "):
        glrast.Context(device_name)


def test_a_cuda_device_that_is_not_there_is_named():
    if torch.cuda.is_available():
        with pytest.raises(
            ValueError, match="glrast.Context: device must be one of .* CUDA devices; got 99"
        ):
            glrast.Context("cuda:99")
    else:
        for name in ("cuda", "cuda:1", 0):
            with pytest.raises(
                RuntimeError,
                match="was asked for, but PyTorch finds no CUDA device; use device='cpu'",
            ):
                glrast.Context(name)


def test_unknown_options_of_a_context_are_named():
    with pytest.raises(
        ValueError, match="glrast.Context: buffers must be 'auto', 'id' or 'full'; got 'both'"
    ):
        glrast.Context("cpu", buffers="both")
    with pytest.raises(
        ValueError,
        match="glrast.RasterizeGLContext: mode must be 'automatic' or 'manual'; got 'auto'",
    ):
        glrast.RasterizeGLContext(mode="auto", device="cpu")


def refuses(function, arguments, change, error, message, device):
    """glrast.FUNCTION(**arguments, **change) raises `error` with `message`."""
    given = {**arguments, **change}
    for name, value in given.items():
        if isinstance(value, torch.Tensor) and value.device.type == "cpu":
            given[name] = value.to(device)
    with pytest.raises(error, match=re.escape(message.format(device=device))) as caught:
        getattr(glrast, function)(**given)
    assert str(caught.value).startswith(f"glrast.{function}: ")
