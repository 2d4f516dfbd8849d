"""What clients do that no operation expects: an error that says so, or the right result; never a crash."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from torch._subclasses import FakeTensorMode

import glrast
from tests import scenes
from tests.ops.compare import random
from tests.scenes import ODD


@pytest.fixture
def scene(device):
    pos, tri, attr = (t.to(device) for t in scenes.closed_mesh(1))
    return pos, tri, attr, glrast.Context(device)


# ---- tensors that are replaced between forward and backward ------------------------------------------------


def forward_of(name, scene):
    """(result, the tensors that its backward pass reads)"""
    pos, tri, attr, context = scene
    pos, attr = pos.clone().requires_grad_(), attr.clone().requires_grad_()
    rast, rast_db = (t.detach() for t in glrast.rasterize(context, pos, tri, ODD))
    if name == "rasterize":
        return glrast.rasterize(context, pos, tri, ODD)[0], [pos]
    if name == "interpolate":
        out, _ = glrast.interpolate(attr, rast, tri, rast_db, "all")
        return out, [attr, rast, rast_db]
    color = random(1, *ODD, 3).to(rast)
    if name == "antialias":
        return glrast.antialias(color, rast, pos, tri), [color, rast, pos]
    tex, uv = random(1, 8, 8, 3).to(rast).requires_grad_(), random(1, *ODD, 2).to(rast)
    return glrast.texture(tex, uv), [tex, uv]


@pytest.mark.parametrize("name", ["rasterize", "interpolate", "antialias", "texture"])
def test_data_of_another_shape_is_refused_before_a_kernel_reads_it(scene, name):
    for which in range(len(forward_of(name, scene)[1])):
        out, tensors = forward_of(name, scene)
        shape = tensors[which].shape
        tensors[which].data = torch.rand([2 * extent for extent in shape], device=out.device)
        with pytest.raises(
            RuntimeError, match=rf"glrast.{name} \(backward\): its tensors must stay"
        ):
            out.sum().backward()
        out, tensors = forward_of(name, scene)
        tensors[which].data = torch.rand([1] * len(shape), device=out.device).expand(shape)
        with pytest.raises(RuntimeError, match=r"do not assign to `.data` before backward"):
            out.sum().backward()


# ---- tensors that are more than they seem -------------------------------------------------------------------


def test_a_lazily_negated_tensor_is_what_it_says(scene):
    pos, tri, attr, context = scene
    lazily = torch._neg_view(-pos)
    assert lazily.is_neg()
    for f, w in zip(
        glrast.rasterize(context, lazily, tri, ODD), glrast.rasterize(context, pos, tri, ODD)
    ):
        assert torch.equal(f, w)
    (f, _), *_ = glrast.peel(context, lazily, tri, ODD)
    assert torch.equal(f, glrast.rasterize(context, pos, tri, ODD)[0])


def test_a_lazily_negated_gradient_is_what_it_says(scene):
    pos, tri, attr, context = scene
    rast, _ = glrast.rasterize(context, pos, tri, ODD)

    def gradient(upstream):
        at = attr.clone().requires_grad_()
        return torch.autograd.grad(glrast.interpolate(at, rast, tri)[0], at, upstream)[0]

    upstream = random(1, *ODD, attr.shape[1]).to(rast)
    assert torch.equal(gradient(torch._neg_view(-upstream)), gradient(upstream))


def test_a_sparse_tensor_is_refused_by_name(scene):
    pos, tri, attr, context = scene
    with pytest.raises(
        TypeError, match="glrast.interpolate: attr must be dense; got sparse_coo: convert"
    ):
        glrast.interpolate(attr.to_sparse(), glrast.rasterize(context, pos, tri, ODD)[0], tri)
    with pytest.raises(TypeError, match="glrast.rasterize: tri must be dense"):
        glrast.rasterize(context, pos, tri.to_sparse(), ODD)


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
def test_peeling_a_fake_tensor_is_refused(scene):
    pos, tri, _, context = scene
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        with pytest.raises(RuntimeError, match="must be a tensor with memory; got a FakeTensor"):
            glrast.peel(context, mode.from_tensor(pos), tri, ODD)
    assert len(glrast.peel(context, pos, tri, ODD)) == 2


def test_numbers_that_kernels_cannot_count_to_are_named(scene):
    pos, tri, _, context = scene
    rast, _ = glrast.rasterize(context, pos, tri, ODD)
    with pytest.raises(ValueError, match=r"beyond what kernels count to, 2\^31: V = 2147483648"):
        glrast.interpolate(torch.zeros(2**31, 0, device=rast.device), rast, tri)
    with pytest.raises(ValueError, match="glrast.texture: tex must be of at most 16777216 texels"):
        glrast.texture(
            torch.zeros(1, 2**24 + 1, 1, 1, device=rast.device), rast[..., :2].contiguous()
        )
    for row in ([2**63 - 1, 1], [2**63 - 1, 2], [2**62, 2**62], [-(2**63), 1], [0, 2**63 - 1]):
        with pytest.raises(ValueError, match="glrast.rasterize: ranges must lie within tri"):
            glrast.rasterize(context, pos[0], tri, ODD, ranges=[row])
    with pytest.raises(
        ValueError, match="glrast.rasterize: ranges must be integers; got torch.complex64"
    ):
        glrast.rasterize(context, pos[0], tri, ODD, ranges=[[0, 1j]])
    with pytest.raises(ValueError, match="glrast.antialias: pos must be"):
        glrast.antialias(torch.ones(1, *ODD, 3, device=rast.device), rast, pos[0, 0, 0], tri)


# ---- peeling ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`")
def test_compiled_peeling_keeps_its_gradients(scene):
    pos, tri, _, context = scene

    def loss(pos):
        layers = glrast.peel(context, pos, tri, ODD)
        return sum((rast[..., :2] * (k + 1)).square().sum() for k, (rast, _) in enumerate(layers))

    at = pos.clone().requires_grad_()
    wanted = torch.autograd.grad(loss(at), at)[0]
    torch._dynamo.reset()
    found = torch.autograd.grad(torch.compile(loss, backend="aot_eager")(at), at)[0]
    torch._dynamo.reset()
    assert wanted.any() and torch.allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_debug_checks_what_is_peeled(scene):
    pos, tri, _, context = scene
    wrong = tri.clone()
    wrong[3, 1] = len(pos[0])
    poisoned = pos.clone()
    poisoned[0, 2, 1] = torch.nan
    with glrast.debug():
        with pytest.raises(ValueError, match="glrast.peel: tri must hold vertex indices"):
            glrast.peel(context, pos, wrong, ODD)
        with pytest.raises(FloatingPointError, match="glrast.peel: pos must be finite"):
            glrast.peel(context, poisoned, tri, ODD)
        assert len(glrast.peel(context, pos, tri, ODD)) == 2


def test_a_peeler_that_is_gone_leaves_its_context_free(scene):
    pos, tri, _, context = scene
    glrast.DepthPeeler(
        context, pos, tri, ODD
    ).__enter__()  # as an interrupt between two lines leaves it
    assert glrast.rasterize(context, pos, tri, ODD)[0].any()


# ---- other processes ----------------------------------------------------------------------------------------


def test_contexts_and_topologies_are_pickled_and_copied_as_what_they_were_made_from(scene):
    pos, tri, attr, _ = scene
    context = glrast.Context(pos.device, output_db=False, buffers="full")
    topology = glrast.antialias_construct_topology_hash(tri)
    color, _ = glrast.interpolate(attr, glrast.rasterize(context, pos, tri, ODD)[0], tri)
    for again in (pickle.loads(pickle.dumps(context)), copy.deepcopy(context)):
        rast, rast_db = glrast.rasterize(again, pos, tri, ODD)
        assert again.program == "full" and rast_db.shape[-1] == 0
        wanted = glrast.antialias(color, rast, pos, tri, topology)
        for handle in (pickle.loads(pickle.dumps(topology)), copy.deepcopy(topology)):
            assert torch.equal(glrast.antialias(color, rast, pos, tri, handle), wanted)
    kind = type(pickle.loads(pickle.dumps(glrast.RasterizeCudaContext(pos.device))))
    assert kind is glrast.RasterizeCudaContext


@pytest.mark.slow
def test_a_context_of_another_process_opens_its_device_again(scene, tmp_path):
    path = tmp_path / "context"
    path.write_bytes(pickle.dumps(scene[3]))
    script = f"""
import pickle, torch, glrast
context = pickle.loads(open({str(path)!r}, "rb").read())
pos = torch.tensor([[[-1, -1, 0, 1], [1, -1, 0, 1], [0, 1, 0, 1.0]]], device=context.device)
print(int((glrast.rasterize(context, pos, torch.tensor([[0, 1, 2]], device=context.device), (8, 8))[0] > 0).any()))
from glrast.gl.registry import by_handle
try: by_handle(99)
except RuntimeError as error: print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.startswith("1\nglrast: there is no OpenGL context number 99"), done.stderr
