"""glrast under the name that a script of nvdiffrast imports; see glrast/shim."""

from glrast import __version__ as __version__
