"""glrast under the name that a script of nvdiffrast imports; see glrast/shim."""

import os

__version__ = "0.4.0"  # of the interface that is served; glrast's own is glrast.__version__

if os.environ.get("GLRAST_SHIM_DEVICE") == "cpu":  # a child process of a script that was told so
    from glrast.shim.cuda_on_cpu import put_cuda_on_cpu

    put_cuda_on_cpu()
