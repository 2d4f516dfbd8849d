"""`runtime`: the device's context shared with CUDA through a fake that keeps CUDA's rules (fake_cudart.py)."""

import pytest

from glrast.gl import host_copy
from glrast.gl.interop import Registered
from glrast.raster import draw as drawing
from tests import scenes
from tests.gl.fake_cudart import ELSEWHERE, FakeRuntime
from tests.ops.compare import on


@pytest.fixture
def runtime(gl, device, monkeypatch):
    """The context shared through the fake; drawing from or into what is mapped is an error."""
    if device.type != "cpu":
        pytest.skip("the fake moves CPU tensors")
    gl.close()
    fake = FakeRuntime(gl)
    monkeypatch.setattr(gl.limits, "culls_non_finite", True)
    monkeypatch.setattr(gl, "sharing", Registered(fake))
    monkeypatch.setattr(host_copy, "_said", set())
    submit = drawing.submit

    def draws(context, target, *arguments):
        for resource in fake.module.mapped():
            assert resource.kind == "image", "OpenGL drew from what is mapped"
            assert resource.name != target.color, "OpenGL drew into what is mapped"
        submit(context, target, *arguments)

    monkeypatch.setattr(drawing, "submit", draws)
    yield fake
    fake.module.fail = None
    gl.close()
    assert not fake.module.registered and not fake.module.textures
    assert fake.module.device == ELSEWHERE, "the thread's current device was changed"


@pytest.fixture
def calls(runtime):
    """What the last call of `draw` asked of CUDA."""
    return lambda: [name for name in runtime.module.calls if name != "cudaSetDevice"]


@pytest.fixture
def scene(context):
    return on(context, scenes.closed_mesh(1, images=2))
