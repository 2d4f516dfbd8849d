"""glrast.torch under the name that a script of nvdiffrast imports; see glrast/shim."""

from glrast.torch import *  # noqa: F403
