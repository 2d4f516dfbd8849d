"""glrast/context.py: what a context keeps in OpenGL's memory, and when it gives it back."""

import glrast
from tests import scenes
from tests.ops.compare import on
from tests.scenes import ODD


def test_close_frees_gl_memory(context, gl):
    pos, tri, _ = on(context, scenes.one_triangle(1))
    glrast.rasterize(context, pos, tri, ODD)
    assert gl.objects
    context.close()
    assert not gl.objects


def test_buffers_grow_by_rounding_up(context, gl):
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=2))
    context.close()
    glrast.rasterize(context, pos, tri, ODD)
    sizes = [thing.size for key, thing in gl.objects.items() if key[0] == "buffer"]
    assert sizes and all(size & (size - 1) == 0 for size in sizes)
