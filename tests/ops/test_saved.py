"""Tensors that are replaced through `.data` between forward and backward: an error, never another gradient, and never a
read beyond a buffer."""

import pytest
import torch

import glrast
from tests import scenes
from tests.ops.compare import on, random
from tests.scenes import ODD


def half(t):
    t.data = t.data.half() if t.is_floating_point() else t.data.to(torch.int16)


def double(t):
    t.data = t.data.double() if t.is_floating_point() else t.data.long()


def bfloat16(t):
    t.data = t.data.bfloat16() if t.is_floating_point() else t.data.to(torch.uint8)


def replaced(t):
    t.data = t.data.clone()  # other memory: what is in it is another matter


def set_to_another(t):
    with torch.no_grad():
        t.set_(torch.zeros(t.numel() + 1, dtype=t.dtype, device=t.device)[1:].view(t.shape))


def emptied(t):
    t.untyped_storage().resize_(0)


def shrunk(t):
    t.untyped_storage().resize_(4)


@pytest.fixture
def context(device, gl):
    return glrast.Context(device)


CHANGES = [half, double, bfloat16, replaced, set_to_another, emptied, shrunk]
OPERATIONS = {
    "rasterize": ["pos", "tri"],
    "peel": ["pos", "tri"],
    "interpolate": ["attr", "rast", "tri", "rast_db"],
    "texture": ["tex", "uv", "uv_da", "mip_level_bias"],
    "antialias": ["color", "rast", "pos", "tri"],
    "antialias all": ["color", "rast", "pos", "tri"],
    "fragments": ["pos"],
    "clip.transform_points": ["matrix", "points"],
}


def forward(name, context):
    """(results, {argument: tensor}), every argument a leaf of its own."""
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    rast, rast_db = glrast.rasterize(context, pos, tri, ODD)
    given = dict(
        pos=pos, tri=tri.int(), attr=attr, rast=rast, rast_db=rast_db, color=random(1, *ODD, 3).to(rast),
        tex=random(1, 8, 8, 3).to(rast), uv=random(1, *ODD, 2).to(rast), uv_da=random(1, *ODD, 4).to(rast),
        mip_level_bias=random(1, *ODD).to(rast), matrix=torch.eye(4).to(rast), points=pos[0, :, :3].to(rast),
    )  # fmt: skip
    t = {key: value.detach().clone() for key, value in given.items() if key in OPERATIONS[name]}
    for value in t.values():
        value.requires_grad_(value.is_floating_point())
    calls = {
        "rasterize": lambda: glrast.rasterize(context, t["pos"], t["tri"], ODD),
        "peel": lambda: glrast.peel(context, t["pos"], t["tri"], ODD)[0],
        "interpolate": lambda: glrast.interpolate(
            t["attr"], t["rast"], t["tri"], t["rast_db"], "all"
        ),
        "texture": lambda: [glrast.texture(*(t[k] for k in OPERATIONS["texture"]))],
        "antialias": lambda: [glrast.antialias(t["color"], t["rast"], t["pos"], t["tri"])],
        "antialias all": lambda: [
            glrast.antialias(t["color"], t["rast"], t["pos"], t["tri"], discontinuities="all")
        ],
        "fragments": lambda: glrast.fragments(rast, t["pos"], tri, "all")[:3],
        "clip.transform_points": lambda: [glrast.clip.transform_points(t["matrix"], t["points"])],
    }
    return calls[name](), t


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    "name, argument", [(name, a) for name, arguments in OPERATIONS.items() for a in arguments]
)
def test_backward_refuses_what_was_replaced(context, name, argument, change):
    results, given = forward(name, context)
    kept = [t.detach() for t in given.values()]  # the memory of what is replaced stays
    change(given[argument])
    function = name.split()[0].replace("peel", "rasterize")
    said = "modified by an inplace operation"  # PyTorch counts set_
    if change is not set_to_another:
        said = rf"glrast.{function} \(backward\): its tensors must stay as they were .*; {argument} was "
    with pytest.raises(RuntimeError, match=said):
        sum(r.sum() for r in results).backward()
    del kept


@pytest.mark.parametrize("name", OPERATIONS)
def test_backward_of_what_was_not_replaced_is_what_it_was(context, name):
    results, given = forward(name, context)
    leaves = [t for t in given.values() if t.requires_grad]
    wanted = torch.autograd.grad(
        sum(r.sum() for r in results), leaves, retain_graph=True, allow_unused=True
    )
    for value in given.values():
        value.data = value.data  # nothing changes: as module.float() on float32 does
    found = torch.autograd.grad(sum(r.sum() for r in results), leaves, allow_unused=True)
    assert all(f is w is None or torch.equal(f, w) for f, w in zip(found, wanted))


def test_a_module_made_half_between_forward_and_backward_is_refused(context):
    module = torch.nn.Module()
    pos, tri, _ = on(context, scenes.one_triangle())
    module.pos = torch.nn.Parameter(pos[None])
    rast, _ = glrast.rasterize(context, module.pos, tri, ODD)
    module.half()
    with pytest.raises(RuntimeError, match=r"pos was float32 \[1, 3, 4\] .* is now float16"):
        rast[..., :2].sum().backward()


def test_hooks_that_put_what_is_saved_elsewhere_change_nothing(context):
    def gradients(hooks):
        with hooks:
            results, given = forward("interpolate", context)
        leaves = [t for t in given.values() if t.requires_grad]
        return torch.autograd.grad(sum(r.sum() for r in results), leaves)

    saved = torch.autograd.graph.saved_tensors_hooks
    plain = gradients(saved(lambda t: t, lambda t: t))
    moved = gradients(saved(lambda t: t.clone(), lambda t: t.clone()))
    assert all(torch.equal(p, m) for p, m in zip(plain, moved))
    with pytest.raises(RuntimeError, match=r"attr was float32 .* and is now float64"):
        gradients(saved(lambda t: t.double() if t.is_floating_point() else t, lambda t: t))


@pytest.mark.parametrize("which", ["pos", "tri"])
def test_forward_refuses_a_tensor_whose_memory_has_gone(context, which):
    pos, tri, _ = (t.clone() for t in on(context, scenes.one_triangle()))
    {"pos": pos, "tri": tri}[which].untyped_storage().resize_(4)
    with pytest.raises(RuntimeError, match=f"glrast.rasterize: {which} must have its memory"):
        glrast.rasterize(context, pos, tri.int() if which == "pos" else tri, ODD)


def test_a_tensor_at_an_odd_address_is_copied_not_misread(context):
    if context.device.type != "cpu":
        pytest.skip("only the CPU has odd addresses")
    pos, tri, _ = scenes.one_triangle()
    pos = pos[None]
    memory = bytearray(1 + pos.numel() * 4)
    odd = torch.frombuffer(memory, dtype=torch.float32, offset=1, count=pos.numel()).view(pos.shape)
    odd.copy_(pos)
    assert odd.data_ptr() % 4
    wanted, _ = glrast.rasterize(context, pos, tri, ODD)
    assert torch.equal(glrast.rasterize(context, odd, tri, ODD)[0], wanted)


# ---- what is remembered of a tri ---------------------------------------------------------------------------


def test_a_tri_replaced_through_data_is_another_one(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    color = (rast[..., 3:] > 0).float()
    remembered = tri.clone()
    handle = glrast.antialias_construct_topology_hash(remembered)
    for given in (None, handle):
        glrast.antialias(color, rast, pos, remembered, given)
    other = tri.flip(0).contiguous()
    remembered.data = other
    wanted = glrast.rasterize(context, pos, other.clone(), ODD)[0]
    assert torch.equal(glrast.rasterize(context, pos, remembered, ODD)[0], wanted)
    found = glrast.antialias(color, wanted, pos, remembered)
    assert torch.equal(found, glrast.antialias(color, wanted, pos, other.clone()))
    if context.device.type == "cpu":  # a GPU would have to be waited for
        with pytest.raises(ValueError, match="topology_hash must be made from this tri"):
            glrast.antialias(color, wanted, pos, remembered, handle)


def test_a_peeler_whose_mesh_is_changed_between_layers_is_refused(context):
    for which in (0, 1):
        given = [t.clone() for t in on(context, scenes.closed_mesh(1))[:2]]
        with glrast.DepthPeeler(context, *given, ODD) as peeler:
            peeler.rasterize_next_layer()
            given[which].add_(0)
            with pytest.raises(RuntimeError, match="pos and tri must stay as they were until"):
                peeler.rasterize_next_layer()
