"""Context: which device renders, and how. The OpenGL context behind it is made once per device and process."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import torch

from .core import check
from .core.check import wrong

# The faster of the two programs by renderer, as measured (rasterize, 82k triangles at 1024 x 1024, in turns):
# llvmpipe: full takes 1.3 to 1.4 times as long as id. Where nobody has measured, `id`: it asks least of the fragment
# stage, which on server GPUs is the slow part.
_MEASURED = {"llvmpipe": "id"}
_UNMEASURED = "id"
_MOST_DEVICES = 128  # PyTorch counts them in a signed byte: torch.device("cuda", 1000) is cuda:-24

Device = torch.device | str | int | None  # as users name one


class Context:
    """Where to rasterize. Cheap to make: one per frame is fine.

    Args:
        device: a torch.device, 'cuda:1', 'cpu', an int (CUDA ordinal), or None: the current CUDA device if there
            is one, else the CPU. All tensors given to `rasterize` with this context must be there.
        output_db: False leaves rast_db out ([N,H,W,0]) and saves its time; no derivatives then, so no mipmaps.
        buffers: 'auto', 'id' (OpenGL writes triangle ids; barycentrics follow in a kernel) or 'full' (the
            fragment stage writes both). Same result to float32 rounding; 'auto' takes the faster by measurement.

    Raises:
        RuntimeError: no OpenGL 4.5 through EGL; the message says what is missing. `glrast doctor` says more.
    """

    def __init__(self, device: Device = None, *, output_db: bool = True, buffers: str = "auto"):
        check.choice("Context", "buffers", buffers, ("auto", "id", "full"))
        from .raster.self_test import tested

        self.device = torch_device(device)
        self.output_db = check.flag("Context", "output_db", output_db)
        self._peeler: Callable[[], object | None] = _nobody  # a weak reference
        opened = tested(self.device)
        self.handle = opened.handle
        renderer = opened.renderer.split(" ")[0]
        self.program = _MEASURED.get(renderer, _UNMEASURED) if buffers == "auto" else buffers

    @property
    def peeler(self) -> object | None:
        """The one that is at work."""
        return self._peeler()

    @peeler.setter
    def peeler(self, at_work: object | None) -> None:
        self._peeler = _nobody if at_work is None else weakref.ref(at_work)

    def __reduce__(self):
        """Pickled and copied as what it was made from: the OpenGL context is this process's."""
        return _reopened, (type(self), str(self.device), self.output_db, self.program)

    def close(self) -> None:
        """Free the device's OpenGL buffers and targets. The context stays usable and takes what it needs again."""
        from .gl.registry import by_handle

        by_handle(self.handle).close()

    def __repr__(self) -> str:
        return f"glrast.{type(self).__name__}(device='{self.device}', buffers='{self.program}')"


class RasterizeCudaContext(Context):
    """The same as Context: users of nvdiffrast know this name. It rasterizes with OpenGL, and on the CPU too."""

    def __init__(self, device: Device = None):
        super().__init__(device)

    @property
    def active_depth_peeler(self) -> object | None:
        """The DepthPeeler that is at work on this context, or None."""
        return self.peeler

    @property
    def cpp_wrapper(self) -> object:
        """This context: what scripts hand on, unopened, where nvdiffrast has an object of its plugin."""
        return self


class RasterizeGLContext(RasterizeCudaContext):
    """Context under the name and with the arguments that users of nvdiffrast know.

    `mode` is kept and means nothing: the context is made current inside every call.
    """

    def __init__(self, output_db: bool = True, mode: str = "automatic", device: Device = None):
        self.mode = check.choice("RasterizeGLContext", "mode", mode, ("automatic", "manual"))
        Context.__init__(self, device, output_db=output_db)

    def set_context(self) -> None:
        """Does nothing: the context is made current inside every call."""

    def release_context(self) -> None:
        """Does nothing: the context is released at the end of every call."""

    def __reduce__(self):
        return *super().__reduce__(), {"mode": self.mode}


def _nobody() -> None:
    """No peeler is at work."""


def _reopened(kind: type[Context], device: str, output_db: bool, program: str) -> Context:
    made = kind.__new__(kind)
    Context.__init__(made, device, output_db=output_db, buffers=program)
    return made


def torch_device(device: Device) -> torch.device:
    """The device that a context's argument names; None: the current CUDA device if there is one, else the CPU."""
    if device is None:
        return (
            torch.device("cuda", torch.cuda.current_device())
            if torch.cuda.is_available()
            else torch.device("cpu")
        )
    try:
        if isinstance(device, int) and not isinstance(device, bool):
            if not 0 <= device < _MOST_DEVICES:
                raise ValueError("there is no such device")
            resolved = torch.device("cuda", device)
        else:
            resolved = torch.device(device)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            wrong(
                "Context",
                "device must be a torch.device, a name like 'cuda:0' or 'cpu', or an int",
                f"{device!r}",
                error,
            )
        ) from error
    if resolved.type not in ("cpu", "cuda"):
        raise ValueError(wrong("Context", "device must be on 'cpu' or 'cuda'", f"'{resolved}'"))
    if resolved.type == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise RuntimeError(
            f"glrast.Context: device '{resolved}' was asked for, but PyTorch finds no CUDA device; use device='cpu'"
        )
    index = torch.cuda.current_device() if resolved.index is None else resolved.index
    check.value(
        "Context",
        "device",
        f"one of {torch.cuda.device_count()} CUDA devices",
        index < torch.cuda.device_count(),
        index,
    )
    return torch.device("cuda", index)
