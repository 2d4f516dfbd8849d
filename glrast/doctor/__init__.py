"""What `glrast doctor` looks at, from the outside in:

    machine      versions; an NVIDIA GPU, a container, WSL
      kernels    the host library and CuPy
      egl        libEGL, its vendor files, its devices and what each offers
        triangle a triangle of known answers, drawn and differentiated

Each detection is a small function that returns findings and touches nothing.
"""

from .finding import Finding

__all__ = ["Finding"]
