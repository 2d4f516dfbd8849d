"""The module that scripts reach into: the same names, and a plugin that has nothing to compile."""

from glrast.torch import *  # noqa: F403


class _Plugin:
    """What scripts ask for to have it compiled early. Kernels come compiled, or with the first call."""

    def __getattr__(self, name: str):
        raise AttributeError(
            f"nvdiffrast's plugin has no {name!r} here: glrast serves the functions of nvdiffrast.torch, not those of "
            "its extension; call nvdiffrast.torch.rasterize, interpolate, texture or antialias in its place"
        )


_PLUGIN = _Plugin()
_cached_plugin = {False: _PLUGIN, True: _PLUGIN}  # by gl=


def _get_plugin(gl: bool = False) -> _Plugin:
    return _PLUGIN
