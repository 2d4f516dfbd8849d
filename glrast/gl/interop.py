"""How tensors reach OpenGL buffers and render targets become tensors: through host memory, or shared with CUDA.

Both ways have the same methods; `sharing` chooses. A context calls them while it is current and under its lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import moderngl
import torch

from ..core.per_tensor import PerTensor
from . import cudart
from .host_copy import HostCopy, Target, host_copy

_OUT_OF_MEMORY = "GL_OUT_OF_MEMORY"  # as functions.py names it
_NO_BINDINGS = "cuda-bindings is not installed (pip install 'glrast[cuda]')"


def sharing(device: torch.device, software: bool, renderer: str) -> HostCopy | Registered:
    """How the storage of the context that is current, its renderer of that name, is shared with tensors on `device`."""
    if device.type == "cpu":
        return HostCopy()
    if software:
        return host_copy(f"OpenGL runs on the CPU ({renderer})")
    try:
        runtime = cudart.load(device)
    except ImportError:
        return host_copy(_NO_BINDINGS)
    try:
        with runtime.on_device():
            found = runtime.gl_devices()
    except cudart.CudaError as error:
        return host_copy(str(error))
    if device.index not in found:
        return host_copy(f"OpenGL ({renderer}) renders on CUDA device {found}")
    return Registered(runtime)


def cuda_devices(device: torch.device) -> list[int] | None:
    """The CUDA devices of the OpenGL context that is current; None where nobody can be asked."""
    try:
        runtime = cudart.load(device)
    except ImportError:
        return None
    try:
        with runtime.on_device():
            return runtime.gl_devices()
    except cudart.CudaError:  # of no use for CUDA: `sharing` asks again, and tells the reason
        return []


Made = TypeVar("Made")


def with_room(sharing: HostCopy | Registered, make: Callable[[], Made]) -> Made:
    """What `make` gives; where OpenGL has no memory for it, again after PyTorch gave back what it does not use."""
    try:
        return make()
    except RuntimeError as error:
        if _OUT_OF_MEMORY not in str(error) or not sharing.make_room():
            raise
    return make()


@dataclass
class _Resource:
    """OpenGL storage that CUDA knows."""

    thing: Any  # a Target or a moderngl.Buffer: held, so that its identity stays its own
    handle: Any
    mapped: bool = False
    of_target: bool = False
    again: bool = False  # the next call will write to it
    view: str | None = None  # of a texture: what served (cudart.py)


class Registered:
    """Registered with CUDA once, then mapped and unmapped once per call on PyTorch's current stream: no copy to the
    host, and nobody waits.

    Mapped storage is CUDA's, unmapped storage is OpenGL's. A call finds its inputs mapped by the call before, writes
    them, unmaps all, draws, and maps what it drew together with the inputs of the next call. What was mapped stays so
    between calls. Where a CUDA call fails, everything goes back to OpenGL and host memory serves from then on.
    """

    in_turn = True  # several targets: OpenGL draws into one while a kernel still reads another

    def __init__(self, runtime: cudart.Runtime):
        self.runtime = runtime
        self.reason = ""
        self.uploaded = PerTensor[moderngl.Buffer](most=1)  # the index buffer that holds a tensor
        self.resources: dict[int, _Resource] = {}  # by the identity of the thing
        self.host: HostCopy | None = None  # set when CUDA failed
        # texture objects, and events after their use
        self.retired: deque[tuple[Any, int]] = deque()
        # the stream of the last call, and an event after its work
        self.last: tuple[int, Any] | None = None

    def make_room(self) -> bool:
        self.runtime.make_room()
        return True

    def free_bytes(self) -> int:
        return self.runtime.free_bytes()

    @contextmanager
    def call(self) -> Generator[None, None, None]:
        with ExitStack() as entered:
            if self.host is None:
                try:
                    entered.enter_context(self.runtime.on_device())
                except cudart.CudaError as error:
                    self._give_up(error)
            yield

    def write(self, buffer: moderngl.Buffer, tensor: torch.Tensor, again: bool = True) -> None:
        try:
            if self.host is None:
                with self._entered() as stream:
                    resource = self._resource(buffer)
                    resource.again = again
                    self._map([resource], stream)
                    address, size = self.runtime.pointer(resource.handle)
                    if size < tensor.numel() * tensor.element_size():
                        raise cudart.CudaError(f"the mapped buffer has {size} bytes: too few")
                    self.runtime.copy(address, tensor, stream)
                return
            host = self.host
        except cudart.CudaError as error:
            host = self._give_up(error)
        host.write(buffer, tensor)

    def to_opengl(self, but: object = None) -> None:
        mapped = [r for r in self.resources.values() if r.mapped and r.thing is not but]
        if not mapped:
            return
        try:
            with self._entered() as stream:
                self._unmap(mapped, stream)
        except cudart.CudaError as error:
            self._give_up(error)
            raise  # what this call wrote may be lost; the next call takes the other way

    @contextmanager
    def drawn(
        self, target: Target, out: torch.Tensor, last: bool = True
    ) -> Generator[int, None, None]:
        texture, host = 0, self.host
        try:
            if host is None:
                with self._entered() as stream:
                    found = self._mapped_arrays(target, stream, last)
                    if found.whole is None:
                        self._copied(found, target, out, stream)
                    else:
                        texture = self.runtime.texture(found.whole)
        except cudart.CudaError as error:
            host = self._give_up(error)
        if not texture:
            if host is not None:
                host.read(target, out)
            yield 0
            return
        try:
            yield texture
        finally:
            with self.runtime.on_device():
                self._retire(texture)

    def read(self, target: Target, out: torch.Tensor, last: bool = True) -> None:
        try:
            if self.host is None:
                with self._entered() as stream:
                    self._copied(self._mapped_arrays(target, stream, last), target, out, stream)
                return
            host = self.host
        except cudart.CudaError as error:
            host = self._give_up(error)
        host.read(target, out)

    def forget(self, thing: object) -> None:
        resource = self.resources.pop(id(thing), None)
        if resource is None:
            return
        with self._entered() as stream:
            try:
                if resource.mapped:
                    self.runtime.unmap([resource.handle], stream)
            finally:
                self.runtime.unregister(resource.handle)

    def close(self) -> None:
        self.uploaded.forget()
        try:
            self.to_opengl()
            for resource in list(self.resources.values()):
                self.forget(resource.thing)
        finally:
            self.resources.clear()
            if self.retired:
                with self.runtime.on_device():
                    self._destroy_retired()

    # ---- how

    @contextmanager
    def _entered(self) -> Generator[int, None, None]:
        """The device current, and the stream's work after that of the last call's stream. Yields the stream."""
        with self.runtime.on_device():
            stream = self.runtime.stream()
            if self.last is not None and self.last[0] != stream:
                self.runtime.wait(self.last[1])
                self.last = None
            yield stream

    def _resource(self, thing: Any) -> _Resource:
        found = self.resources.get(id(thing))
        if found is None:
            of_target = hasattr(thing, "color")
            if of_target:
                handle = self.runtime.register_image(thing.color)
            else:
                handle = self.runtime.register_buffer(thing.glo)
            found = self.resources[id(thing)] = _Resource(thing, handle, of_target=of_target)
        return found

    def _map(self, resources: list[_Resource], stream: int) -> None:
        needed = [resource for resource in resources if not resource.mapped]
        if not needed:
            return
        self.runtime.map([resource.handle for resource in needed], stream)
        for resource in needed:
            resource.mapped = True

    def _unmap(self, resources: list[_Resource], stream: int) -> None:
        self.runtime.unmap([resource.handle for resource in resources], stream)
        for resource in resources:
            resource.mapped = False

    def _mapped_arrays(self, target: Target, stream: int, last: bool) -> cudart.Arrays:
        """Map the target and, with the same call, what the next call will write: after the last chunk of this one.

        Before that, the target of the chunk before goes back to OpenGL: its kernel is queued and this one's is not, so
        that OpenGL, when it draws into that target again, waits for the former alone.
        """
        resource = self._resource(target)
        others = [
            r for r in self.resources.values() if r.mapped and r.of_target and r is not resource
        ]
        if others:
            self._unmap(others, stream)
        inputs = [other for other in self.resources.values() if other.again] if last else []
        self._map([resource, *inputs], stream)
        size = target.layers, target.height, target.width
        found = self.runtime.arrays(resource.handle, *size, resource.view)
        resource.view = found.view
        return found

    def _copied(self, found: cudart.Arrays, target: Target, out: torch.Tensor, stream: int) -> None:
        self.runtime.copy_arrays(found, out, target.channels, stream)
        self.last = stream, self.runtime.record()

    def _retire(self, texture: int) -> None:
        """The kernel that reads it may still run: texture objects are destroyed when their event has passed."""
        event = self.runtime.record()
        self.last = self.runtime.stream(), event
        self.retired.append((event, texture))
        while self.retired[0][0].query() and len(self.retired) > 1:
            self.runtime.destroy_texture(self.retired.popleft()[1])

    def _destroy_retired(self) -> None:
        while self.retired:
            event, texture = self.retired.popleft()
            event.synchronize()  # closing may wait
            self.runtime.destroy_texture(texture)

    def _give_up(self, error: cudart.CudaError) -> HostCopy:
        """Everything back to OpenGL, as far as CUDA still answers; host memory from here on."""
        unregister = self.runtime.unregister
        undoing = (partial(unregister, r.handle) for r in self.resources.values())
        for undo in (self._unmap_all, *undoing):
            try:
                with self.runtime.on_device():
                    undo()
            except cudart.CudaError:
                pass  # the first error is the one to tell
        self.resources.clear()
        self.uploaded.forget()
        self.host = host_copy(str(error))
        self.reason = self.host.reason
        return self.host

    def _unmap_all(self) -> None:
        mapped = [resource for resource in self.resources.values() if resource.mapped]
        if mapped:
            self._unmap(mapped, self.runtime.stream())
