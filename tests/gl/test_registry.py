"""registry: one context for each device of a process, on the EGL device that is its own."""

import glrast
from glrast.gl import registry
from glrast.raster import self_test


def test_every_context_of_a_device_shares_one_opengl_context(device, gl):
    made = [glrast.Context(device) for _ in range(3)]
    assert {c.handle for c in made} == {gl.handle}
    assert self_test.tested(device) is gl and registry.by_handle(gl.handle) is gl
