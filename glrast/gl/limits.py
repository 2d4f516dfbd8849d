"""What a driver can do, and how much it is asked for at once: one object of each context. Its fields may be set."""

from __future__ import annotations

from dataclasses import dataclass

from .functions import Functions

_MAX_TEXTURE_SIZE, _MAX_ARRAY_TEXTURE_LAYERS, _MAX_FRAMEBUFFER_LAYERS = 0x0D33, 0x88FF, 0x9317
_LARGEST_PLAIN = 1 << 13
_SUBMISSION_TRIANGLES = 1 << 13
_BYTES_OF_A_CHANNEL = 4  # and of a depth
# Of a GPU's free memory a chunk takes this part; the kernel behind it takes nine times as much for what it returns.
_CHUNKS = 32
_SMALLEST_CHUNK, _LARGEST_CHUNK = 64 << 20, 2 << 30


@dataclass
class Limits:
    """What this driver can do, and what is worth asking of it."""

    size: int  # pixels on a side of a target
    layers: int  # of a target
    # The vertex stage may choose the layer. Without it (older GPUs) layers are drawn one by one.
    layered_vertex: bool
    # On a GPU the vertex stage removes triangles with a vertex that is not finite; to ask the positions whether there
    # is one would wait for them. llvmpipe takes checked indices: there the question costs less.
    culls_non_finite: bool
    # Pixels on a side. Larger images are drawn from pieces, whole or in tiles (raster/tiles.py). A software driver
    # could do without up to its limit, but what an image shows shall not depend on that.
    largest_plain: int
    # Submitted at once (raster/software.py); None: all.
    submission_triangles: int | None
    writes_depth: bool = False  # the workaround that raster/self_test.py may switch on

    chunk_bytes: int = 512 << 20  # of one chunk of images, colour and depth
    kept_bytes: int = 512 << 20  # of targets of other sizes: clients alternate between resolutions
    # Of triangles that are chosen one by one for each image. Beyond, as with hundreds of images of a large mesh, all
    # images share their indices.
    selected_bytes: int = 1 << 30
    buffer_pieces: int = 1 << 22  # pieces of triangles in a buffer, 480 MiB
    tile: int = (
        1 << 13
    )  # pixels on a side, 512 MiB of ids and depth; no larger than a cell of raster/tiles.py

    def share(self, free_bytes: int) -> None:
        """Chunks by the memory of the GPU that is free: of a larger card more images are drawn at once. Two targets of
        a chunk are kept, which are drawn into in turn."""
        self.chunk_bytes = min(max(free_bytes // _CHUNKS, _SMALLEST_CHUNK), _LARGEST_CHUNK)
        self.kept_bytes = 2 * self.chunk_bytes

    def images_at_once(self, height: int, width: int, channels: int) -> int:
        """Images in one chunk: layers of one target; always one at least."""
        bytes_of_an_image = _bytes_of(height, width, channels)
        return max(1, min(self.layers, self.chunk_bytes // bytes_of_an_image))

    def keeps_two(self, height: int, width: int, channels: int, images: int) -> bool:
        """Whether two targets of so many images are kept, so that none is made anew for each chunk."""
        return 2 * images * _bytes_of(height, width, channels) <= self.kept_bytes


def _bytes_of(height: int, width: int, channels: int) -> int:
    return height * width * _BYTES_OF_A_CHANNEL * (channels + 1)


def limits(gl: Functions, extensions: frozenset[str], software: bool) -> Limits:
    """Those of the context that is current."""
    size = gl.get_integer(_MAX_TEXTURE_SIZE)
    layers = [gl.get_integer(code) for code in (_MAX_ARRAY_TEXTURE_LAYERS, _MAX_FRAMEBUFFER_LAYERS)]
    return Limits(
        size=size,
        layers=min(layers),
        layered_vertex="GL_ARB_shader_viewport_layer_array" in extensions,
        culls_non_finite=not software,
        largest_plain=_LARGEST_PLAIN if software else size,
        submission_triangles=_SUBMISSION_TRIANGLES if software else None,
    )
