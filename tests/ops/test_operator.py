"""The operators are seen by whoever watches PyTorch's dispatcher, and go around it where nobody does."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import glrast
from glrast.ops import operator
from tests import scenes
from tests.ops.compare import random
from tests.scenes import ODD

OPERATORS = [
    "rasterize", "interpolate", "texture", "antialias",
    "antialias_backward", "texture_backward", "interpolate_backward", "rasterize_backward",
]  # fmt: skip


def render(device, pos=None):
    """Every kind of operator, forward and backward; the gradient of pos."""
    scene, tri, attr = (t.to(device) for t in scenes.closed_mesh(1))
    pos = (scene if pos is None else pos).detach().requires_grad_()
    context = glrast.Context(device)
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    color, _ = glrast.interpolate(attr, rast, tri)
    color = color + glrast.texture(random(1, 4, 4, 3).to(device), color[..., :2].contiguous())
    image = glrast.antialias(color, rast, pos, tri)
    return torch.autograd.grad(image.square().sum(), pos)[0]


class Listening(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.heard = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if function.namespace == "glrast":
            self.heard.append(function._schema.name.removeprefix("glrast::"))
        return function(*arguments, **(keywords or {}))


def test_a_dispatch_mode_sees_every_operator(device):
    with Listening() as listening:
        found = render(device)
    assert listening.heard == OPERATORS
    assert torch.equal(found, render(device))


def test_a_profiler_sees_every_operator(device):
    with torch.profiler.profile() as profile:
        render(device)
    seen = {event.key for event in profile.key_averages()}
    assert seen >= {f"glrast::{name}" for name in OPERATORS}


class Labelled(torch.Tensor):
    """A subclass of Tensor that sees what happens to it."""

    heard: list = []

    @staticmethod
    def __new__(cls, wrapped):
        made = torch.Tensor._make_wrapper_subclass(
            cls, wrapped.shape, dtype=wrapped.dtype, device=wrapped.device
        )
        made.wrapped = wrapped
        return made

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), keywords=None):
        if function.namespace == "glrast":
            cls.heard.append(function._schema.name.removeprefix("glrast::"))
        plain = [a.wrapped if isinstance(a, Labelled) else a for a in arguments]
        return function(*plain, **(keywords or {}))


def test_a_subclass_of_tensor_sees_the_operator(device):
    pos, tri, _ = (t.to(device) for t in scenes.closed_mesh(1))
    Labelled.heard.clear()
    rast, _ = glrast.rasterize(glrast.Context(device), Labelled(pos), tri, ODD)
    assert Labelled.heard == ["rasterize"]
    assert torch.equal(rast, glrast.rasterize(glrast.Context(device), pos, tri, ODD)[0])


def test_nobody_watching_the_dispatcher_is_not_asked(device, monkeypatch):
    wanted = render(device)
    if len(operator._WATCHERS) == 1:
        pytest.skip("this PyTorch does not say who watches")
    asked = []
    original = torch._ops.OpOverload.__call__

    def counted(self, *arguments, **keywords):
        if self.namespace == "glrast":
            asked.append(self._schema.name)
        return original(self, *arguments, **keywords)

    monkeypatch.setattr(torch._ops.OpOverload, "__call__", counted)
    assert torch.equal(render(device), wanted) and not asked
    monkeypatch.setattr(operator, "_WATCHERS", (lambda: True,))
    assert torch.equal(render(device), wanted) and len(asked) == len(OPERATORS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_render_keeps_its_operators(device):
    pos, tri, _ = (t.to(device) for t in scenes.closed_mesh(1))
    context = glrast.Context(device)
    traced = torch.jit.trace(
        lambda p: glrast.rasterize(context, p, tri, ODD)[0], pos, check_trace=False
    )
    moved = pos + 0.1
    assert torch.equal(traced(moved), glrast.rasterize(context, moved, tri, ODD)[0])


def test_rasterize_alone_asks_to_be_left_out_of_cuda_graphs():
    if not hasattr(torch.Tag, "cudagraph_unsafe"):
        pytest.skip("this PyTorch has no word for it")
    out = [
        n
        for n in OPERATORS
        if torch.Tag.cudagraph_unsafe in getattr(torch.ops.glrast, n).default.tags
    ]
    assert out == ["rasterize"]
