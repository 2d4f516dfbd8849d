"""glrast.torch under the name that a script of nvdiffrast imports; see glrast/shim."""

from glrast.torch import *  # noqa: F403

from . import ops as ops
from .ops import _cached_plugin as _cached_plugin
from .ops import _get_plugin as _get_plugin
