"""What `glrast doctor` looks at, from the outside in:

    machine      versions, WSL, device files, libraries and threads that get in the way
    nvidia       the driver, its version, its container, the processes that share it
      kernels    the host library and CuPy
      egl        libEGL, its vendor files, its devices and what each offers
        triangle a triangle of known answers, drawn and differentiated
    mitsuba      the path tracer and its LLVM, which only glrast.mitsuba needs

`symptoms` says what error messages mean. Each detection is a small function that returns findings and touches nothing.
"""

from .finding import Finding

__all__ = ["Finding"]
