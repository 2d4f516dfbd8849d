"""The CUDA runtime calls of OpenGL interop, through cuda-bindings, each checked; and PyTorch's streams and events.

What a call needs to be current: the OpenGL context that owns the storage, in this thread, and the CUDA device.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch

_TEXTURE_2D_ARRAY = 0x8C1A
_MOST_DEVICES = 64
_MOST_DESCRIBED = 64
_LAYERED = 0x01  # cudaArrayLayered
_BYTES = 4  # of a channel: every format here has 32 bits


# What a mapped texture of several layers shows depends on the driver: level 0 of its mipmapped view is expected to have
# all layers; the array of a layer and level is by CUDA's text that layer alone, flat, and was seen with all of them.
LEVEL, WHOLE, LAYERS = VIEWS = ("level 0", "the array", "an array for each layer")


class Arrays(NamedTuple):
    """A mapped texture as CUDA sees it."""

    view: str
    arrays: list[Any]  # one that has all layers, or flat ones

    @property
    def whole(self) -> Any | None:
        """The array that has all layers."""
        return None if self.view == LAYERS else self.arrays[0]


class CudaError(RuntimeError):
    """A CUDA call failed, or said that it succeeded and gave nothing."""


def load(device: torch.device) -> Runtime:
    """ImportError where cuda-bindings is not installed."""
    return Runtime(import_module("cuda.bindings.runtime"), device)


class Runtime:
    """The calls, for one device. `module` is cuda.bindings.runtime, or what a test puts in its place."""

    def __init__(self, module: Any, device: torch.device):
        self.module = module
        self.device = device
        self._entered = 0  # how deep `on_device` is nested
        self._descriptors: dict[int, tuple[Any, Any]] = {}  # of texture objects, by their arrays

    def call(self, name: str, *arguments: Any) -> Any:
        """What the call returns after its error code: nothing, one value or a list."""
        try:
            error, *values = getattr(self.module, name)(*arguments)
        except RuntimeError as failure:  # cuda-bindings found no libcuda
            raise CudaError(f"{name}: {failure}") from failure
        if int(error):
            raise CudaError(f"{name}: {getattr(error, 'name', 'error')} ({int(error)})")
        return values[0] if len(values) == 1 else values

    def handle(self, name: str, *arguments: Any) -> Any:
        """The same for calls that make something: some versions of cuda-bindings gave null and called it success."""
        made = self.call(name, *arguments)
        if not int(made):
            raise CudaError(f"{name}: success, but a null handle; cuda-bindings is too old")
        return made

    # ---- devices

    @contextmanager
    def on_device(self) -> Generator[None, None, None]:
        """The device current in this thread for a `with`, for PyTorch and for these calls; put back afterwards. Nests,
        in the one thread that holds the context's lock: the innermost ask nothing of CUDA."""
        if self._entered:
            yield
            return
        with self.guard():
            self.use_device()
            self._entered += 1
            try:
                yield
            finally:
                self._entered -= 1

    def use_device(self) -> None:
        """CUDA's current device in this thread: the runtime makes its context at the first call."""
        self.call("cudaSetDevice", self.device.index)

    def gl_devices(self) -> list[int]:
        """The CUDA devices on which the current OpenGL context renders."""
        every = self.module.cudaGLDeviceList.cudaGLDeviceListAll
        count, devices = self.call("cudaGLGetDevices", _MOST_DEVICES, every)
        return [int(device) for device in devices[:count]]

    # ---- resources

    def register_image(self, texture: int) -> Any:
        flags = self.module.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsReadOnly
        return self.handle("cudaGraphicsGLRegisterImage", texture, _TEXTURE_2D_ARRAY, flags)

    def register_buffer(self, buffer: int) -> Any:
        # not WriteDiscard: a buffer is mapped for the next call while another chunk is still to be drawn from it
        flags = self.module.cudaGraphicsRegisterFlags.cudaGraphicsRegisterFlagsNone
        return self.handle("cudaGraphicsGLRegisterBuffer", buffer, flags)

    def unregister(self, resource: Any) -> None:
        self.call("cudaGraphicsUnregisterResource", resource)

    def map(self, resources: list[Any], stream: int) -> None:
        """OpenGL's calls so far come before the stream's next work."""
        self._map_or_unmap("cudaGraphicsMapResources", resources, stream)

    def unmap(self, resources: list[Any], stream: int) -> None:
        """The stream's work so far comes before OpenGL's next calls."""
        self._map_or_unmap("cudaGraphicsUnmapResources", resources, stream)

    def _map_or_unmap(self, name: str, resources: list[Any], stream: int) -> None:
        handles = np.array([int(resource) for resource in resources], dtype=np.uint64)
        self.call(name, len(handles), handles.ctypes.data, stream)  # the address of an array

    # ---- what is mapped

    def pointer(self, resource: Any) -> tuple[int, int]:
        """(address, bytes) of a mapped buffer."""
        address, size = self.call("cudaGraphicsResourceGetMappedPointer", resource)
        return int(address), int(size)

    def arrays(
        self, resource: Any, layers: int, height: int, width: int, view: str | None
    ) -> Arrays:
        """The mapped texture as arrays, in the view that served before or else the first that serves. Arrays may be
        others at each mapping; what a view shows stays."""
        if view is not None:
            return Arrays(view, self._arrays_of(view, resource, layers))
        refused: list[str] = []
        for view in VIEWS:
            depth = 0 if view == LAYERS else layers
            try:
                found = self._arrays_of(view, resource, layers)
                shown = [self._extent(array) for array in found]
            except CudaError as error:
                refused.append(f"{view}: {error}")
                continue
            if all(extent == (depth, height, width) for extent in shown):
                return Arrays(view, found)
            refused.append(f"{view}: (layers, height, width) = {shown[0]}")
        raise CudaError(
            f"the mapped texture of {layers} x {height} x {width} shows otherwise: {'; '.join(refused)}"
        )

    def _arrays_of(self, view: str, resource: Any, layers: int) -> list[Any]:
        if view == LEVEL:
            mipmapped = self.handle("cudaGraphicsResourceGetMappedMipmappedArray", resource)
            return [self.handle("cudaGetMipmappedArrayLevel", mipmapped, 0)]
        numbers = range(layers if view == LAYERS else 1)
        return [
            self.handle("cudaGraphicsSubResourceGetMappedArray", resource, k, 0) for k in numbers
        ]

    def _extent(self, array: Any) -> tuple[int, int, int]:
        """(layers, height, width); 0 layers of an array that is flat."""
        _, extent, flags = self.call("cudaArrayGetInfo", array)
        depth = int(extent.depth) if int(flags) & _LAYERED else 0
        return depth, int(extent.height), int(extent.width)

    def texture(self, array: Any) -> int:
        """A texture object that reads the array's elements as they are, by pixel coordinates."""
        resource, reading = self._described(array)
        return int(self.handle("cudaCreateTextureObject", resource, reading, None))

    def _described(self, array: Any) -> tuple[Any, Any]:
        """The descriptors, kept while arrays come again: what they say is the array's address and nothing of its
        content."""
        found = self._descriptors.get(int(array))
        if found is not None:
            return found
        m = self.module
        resource, reading = m.cudaResourceDesc(), m.cudaTextureDesc()
        resource.resType = m.cudaResourceType.cudaResourceTypeArray
        resource.res.array.array = array
        reading.addressMode = [m.cudaTextureAddressMode.cudaAddressModeClamp] * 3
        reading.filterMode = m.cudaTextureFilterMode.cudaFilterModePoint
        reading.readMode = m.cudaTextureReadMode.cudaReadModeElementType
        reading.normalizedCoords = 0
        if len(self._descriptors) >= _MOST_DESCRIBED:
            self._descriptors.clear()
        self._descriptors[int(array)] = resource, reading
        return resource, reading

    def destroy_texture(self, texture: int) -> None:
        self.call("cudaDestroyTextureObject", texture)

    # ---- copies within the device

    def copy(self, to: int, tensor: torch.Tensor, stream: int) -> None:
        kind = self.module.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        size = tensor.numel() * tensor.element_size()
        self.call("cudaMemcpyAsync", to, tensor.data_ptr(), size, kind, stream)
        self.hold(tensor)

    def copy_arrays(self, found: Arrays, out: torch.Tensor, channels: int, stream: int) -> None:
        """All layers into `out`, contiguous [layers,H,W] or [layers,H,W,channels]: one copy, or one of each layer."""
        if found.whole is not None:
            self.copy_array(found.whole, out, channels, stream)
            return
        for layer, array in enumerate(found.arrays):
            self.copy_array(array, out[layer : layer + 1], channels, stream)

    def copy_array(self, array: Any, out: torch.Tensor, channels: int, stream: int) -> None:
        """An array's layers into `out`, contiguous."""
        m = self.module
        layers, height, width = out.shape[:3]
        parameters = m.cudaMemcpy3DParms()
        parameters.srcArray = array
        target = m.cudaPitchedPtr()
        target.ptr, target.pitch = out.data_ptr(), width * channels * _BYTES
        target.xsize, target.ysize = width * channels * _BYTES, height
        parameters.dstPtr = target
        extent = m.cudaExtent()  # in the array's elements
        extent.width, extent.height, extent.depth = width, height, layers
        parameters.extent = extent
        parameters.kind = m.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        self.call("cudaMemcpy3DAsync", parameters, stream)

    # ---- PyTorch's side

    def free_bytes(self) -> int:
        """Of the device's memory."""
        return torch.cuda.mem_get_info(self.device)[0]

    def make_room(self) -> None:
        """What PyTorch keeps without using it is OpenGL's to have. Waits."""
        torch.cuda.empty_cache()

    def guard(self) -> AbstractContextManager[None]:
        """PyTorch's current device for a `with`, put back afterwards."""
        return torch.cuda.device(self.device)

    def stream(self) -> int:
        return torch.cuda.current_stream(self.device).cuda_stream

    def hold(self, tensor: torch.Tensor) -> None:
        """The tensor's memory goes to nobody else before the current stream's work so far is done: it may be another
        stream's, on which it is freed."""
        tensor.record_stream(torch.cuda.current_stream(self.device))

    def record(self) -> Any:
        """An event after the current stream's work so far."""
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(self.device))
        return event

    def wait(self, event: Any) -> None:
        """The current stream waits for the event; the CPU does not."""
        torch.cuda.current_stream(self.device).wait_event(event)
