"""`draw`: triangle ids as interop brings them."""

from glrast.gl import registry
from glrast.raster import draw as drawing
from tests import scenes
from tests.ops.compare import on
from tests.scenes import ODD


def draw(context, images=2, size=ODD, scene=None):
    """triangle ids [N,H,W], read by copying the array: no kernel takes part."""
    from glrast.raster.plan import drawable

    pos, tri, _ = scene or on(context, scenes.closed_mesh(1, images=images))
    gl = registry.by_handle(context.handle)
    batch = drawable(gl, pos, tri, None, *size, "none")
    return drawing.draw(gl, batch, context.program, *size, pos.device)
