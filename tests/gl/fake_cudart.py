"""cuda.bindings.runtime without a GPU, over a real OpenGL context: it keeps CUDA's rules and moves the real bytes.

A mapped buffer is host memory that reaches OpenGL when it is unmapped; a mapped texture is host memory filled when it
is mapped, and a texture object is what tests/executor/words.h reads. A broken rule is an AssertionError: the device is
current at every call and the one before it afterwards, and so is the OpenGL context.
"""

import ctypes
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np

from glrast.gl import cudart
from glrast.gl.egl import _library

_BYTES = {0x8236: 4, 0x823C: 8, 0x8814: 16}  # R32UI, RG32UI, RGBA32F
_READS = {0x8236: (0x8D94, 0x1405), 0x823C: (0x8228, 0x1405), 0x8814: (0x1908, 0x1406)}
_IS_OBJECT = {"image": "glIsTexture", "buffer": "glIsBuffer"}
UNKNOWN = 999
ELSEWHERE = 5  # the device that is current at first


class Error(int):
    name = "cudaErrorUnknown"


class Refused(Exception): ...  # a call that this driver answers with an error


class Event:
    def __init__(self, stream):
        self.stream, self.passed, self.waited = stream, False, False

    def query(self):
        return self.passed

    def synchronize(self):
        self.waited = self.passed = True


class Array(ctypes.Structure):
    """TextureArray of tests/executor/words.h, and what cudaArrayGetInfo says."""

    _fields_ = [(name, ctypes.c_int64) for name in ("width", "height", "layers", "bytes", "data")]


class Fake:
    """The module. `fail` = (name, n): that call fails the n-th time, counted from 1; `calls` are all made."""

    cudaGLDeviceList = SimpleNamespace(cudaGLDeviceListAll=1)
    cudaGraphicsRegisterFlags = SimpleNamespace(
        cudaGraphicsRegisterFlagsReadOnly=1, cudaGraphicsRegisterFlagsNone=0
    )
    cudaResourceType = SimpleNamespace(cudaResourceTypeArray=0)
    cudaTextureAddressMode = SimpleNamespace(cudaAddressModeClamp=1)
    cudaTextureFilterMode = SimpleNamespace(cudaFilterModePoint=0)
    cudaTextureReadMode = SimpleNamespace(cudaReadModeElementType=0)
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyDeviceToDevice=3)

    def __init__(self, gl, index=0, devices=(0,)):
        self.gl, self.index, self.devices = gl, index, list(devices)
        self.device = ELSEWHERE  # current in this thread
        self.capturing = False  # a CUDA graph
        self.calls: list[str] = []
        self.fail: tuple[str, int] | None = None
        self.null: str | None = None  # this call succeeds and returns a null handle
        # What a texture's layers show as. 0: all in the array, too; 1: all in the mipmapped view's level, one in each
        # array; 2: one in each array; 3: the first alone.
        self.flat = 1
        self.registered: dict[int, SimpleNamespace] = {}
        self.arrays: dict[int, object] = {}
        self.textures: dict[int, object] = {}
        self.next = 100
        self.stream_of_calls: list[int] = []
        self.copied: list[tuple[int, int]] = []  # (stream, address) of tensors

    def __getattribute__(self, name):
        found = object.__getattribute__(self, name)
        if not name.startswith("cuda") or not callable(found) or isinstance(found, type):
            return found

        def call(*arguments):
            self.calls.append(name)
            assert not self.capturing, f"{name} while a graph is captured"
            if name != "cudaSetDevice":
                assert self.device == self.index, f"{name} on device {self.device}"
                assert _library().eglGetCurrentContext() == self.gl.egl.handle, f"{name}: no OpenGL"
            if self.fail == (name, self.calls.count(name)):
                return (Error(UNKNOWN), None, None, None)
            try:
                values = found(*arguments)
            except Refused:
                return (Error(UNKNOWN), None, None, None)
            if self.null == name:
                values = (0,)
            return (Error(0), *(() if values is None else values))

        return call

    # structures
    class cudaResourceDesc:
        def __init__(self):
            self.res = SimpleNamespace(array=SimpleNamespace())

    cudaTextureDesc = cudaMemcpy3DParms = cudaPitchedPtr = cudaExtent = SimpleNamespace

    # devices
    def cudaSetDevice(self, device):
        assert isinstance(device, int)
        self.device = device

    def cudaGLGetDevices(self, most, which):
        return len(self.devices), self.devices

    # resources
    def cudaGraphicsGLRegisterImage(self, image, target, flags):
        assert target == 0x8C1A and flags == 1
        return (self._register("image", image),)

    def cudaGraphicsGLRegisterBuffer(self, buffer, flags):
        assert flags == 0  # what it held stays, mapped or not
        return (self._register("buffer", buffer),)

    def _register(self, kind, name):
        assert not any((r.kind, r.name) == (kind, name) for r in self.registered.values()), "twice"
        assert self._is_alive(kind, name), "no such storage"
        self.next += 1
        self.registered[self.next] = SimpleNamespace(
            kind=kind, name=name, mapped=False, memory=None, arrays=[]
        )
        return self.next

    def cudaGraphicsUnregisterResource(self, resource):
        gone = self.registered.pop(resource)
        assert self._is_alive(gone.kind, gone.name), "unregistered after it was deleted"

    def _is_alive(self, kind, name):
        address = self.gl.egl.load_opengl_function(_IS_OBJECT[kind])
        return ctypes.CFUNCTYPE(ctypes.c_ubyte, ctypes.c_uint)(address)(name)

    def cudaGraphicsMapResources(self, count, address, stream):
        self.stream_of_calls.append(stream)
        for resource in self._handles(count, address):
            assert not resource.mapped, "mapped already"
            resource.mapped = True
            resource.memory = self._image(resource) if resource.kind == "image" else None

    def cudaGraphicsUnmapResources(self, count, address, stream):
        self.stream_of_calls.append(stream)
        for resource in self._handles(count, address):
            assert resource.mapped, "not mapped"
            resource.mapped = False
            for array in resource.arrays:
                self.arrays.pop(array, None)  # of no use from here on
            resource.arrays.clear()
            if resource.kind == "buffer" and resource.memory is not None:
                self._gl(
                    "glNamedBufferSubData", ctypes.c_uint(resource.name), ctypes.c_ssize_t(0),
                    ctypes.c_ssize_t(resource.memory.nbytes), ctypes.c_void_p(resource.memory.ctypes.data),
                )  # fmt: skip

    def _handles(self, count, address):
        assert count > 0
        found = np.ctypeslib.as_array((ctypes.c_uint64 * count).from_address(address)).tolist()
        assert len(set(found)) == count
        resources = [self.registered[handle] for handle in found]
        assert all(self._is_alive(r.kind, r.name) for r in resources), "deleted while registered"
        return resources

    def mapped(self):
        return [r for r in self.registered.values() if r.mapped]

    # what is mapped
    def cudaGraphicsResourceGetMappedPointer(self, resource):
        r = self.registered[resource]
        assert r.mapped and r.kind == "buffer"
        size = ctypes.c_int()
        self._gl("glGetNamedBufferParameteriv", r.name, 0x8764, ctypes.byref(size))
        r.memory = np.zeros(size.value, np.uint8)
        return r.memory.ctypes.data, size.value

    def cudaGraphicsSubResourceGetMappedArray(self, resource, index, level):
        assert level == 0
        if self.flat == 3 and index:
            raise Refused
        assert self.flat or not index
        return (self._array(resource, layered=not self.flat, index=index),)

    def cudaGraphicsResourceGetMappedMipmappedArray(self, resource):
        return (resource,)

    def cudaGetMipmappedArrayLevel(self, mipmapped, level):
        assert level == 0
        return (self._array(mipmapped, layered=self.flat < 2),)

    def _array(self, resource, layered, index=0):
        r = self.registered[resource]
        assert r.mapped and r.kind == "image"
        memory, array = r.memory
        if not layered:
            w, h, layers, bytes = array.width, array.height, array.layers, array.bytes
            assert index < layers
            array = Array(w, h, 1, bytes, array.data + index * w * h * bytes)
        self.arrays[ctypes.addressof(array)] = (memory, array, layered)
        r.arrays.append(ctypes.addressof(array))
        return ctypes.addressof(array)

    def _image(self, r):
        """Host memory with the texture's layers."""
        size = [ctypes.c_int() for _ in range(4)]
        for code, value in zip((0x1000, 0x1001, 0x8071, 0x1003), size):
            self._gl("glGetTextureLevelParameteriv", r.name, 0, code, ctypes.byref(value))
        width, height, layers, format = (value.value for value in size)
        memory = np.zeros(width * height * layers * _BYTES[format], np.uint8)
        self.gl.gl.glPixelStorei(0x0D05, 1)
        self.gl.gl.glGetTextureImage(
            r.name, 0, *_READS[format], memory.nbytes, ctypes.c_void_p(memory.ctypes.data)
        )
        return memory, Array(width, height, layers, _BYTES[format], memory.ctypes.data)

    def _gl(self, name, *arguments):
        signature = ctypes.CFUNCTYPE(None, *(_type(argument) for argument in arguments))
        signature(self.gl.egl.load_opengl_function(name))(*arguments)

    def cudaArrayGetInfo(self, array):
        _, described, layered = self.arrays[array]
        extent = SimpleNamespace(
            width=described.width, height=described.height, depth=described.layers if layered else 0
        )
        return SimpleNamespace(x=32), extent, int(layered)

    def cudaCreateTextureObject(self, resource, reading, view):
        assert resource.resType == 0 and view is None
        assert (reading.filterMode, reading.readMode, reading.normalizedCoords) == (0, 0, 0)
        array = int(resource.res.array.array)
        assert self.arrays[array][2], "layers are read from a layered array"
        self.textures[array] = self.arrays[array]
        return (array,)

    def cudaDestroyTextureObject(self, texture):
        del self.textures[texture]

    # copies
    def cudaMemcpyAsync(self, to, source, size, kind, stream):
        self.copied.append((stream, source))
        ctypes.memmove(to, source, size)

    def cudaMemcpy3DAsync(self, p, stream):
        _, array, _ = self.arrays[int(p.srcArray)]
        extent = (p.extent.width, p.extent.height, p.extent.depth)
        assert extent == (array.width, array.height, array.layers)
        assert p.dstPtr.pitch == array.width * array.bytes and p.dstPtr.ysize == array.height
        size = array.width * array.height * array.layers * array.bytes
        ctypes.memmove(int(p.dstPtr.ptr), array.data, size)


def _type(argument):
    if isinstance(argument, int):
        return ctypes.c_uint
    return type(argument) if isinstance(argument, ctypes._SimpleCData) else ctypes.c_void_p


class FakeRuntime(cudart.Runtime):
    """The real wrapper of the calls over the fake module; PyTorch's streams are numbers."""

    def __init__(self, gl, index=0, devices=(0,)):
        super().__init__(Fake(gl, index, devices), SimpleNamespace(index=index, type="cuda"))
        self.current = 7
        self.made_room = 0
        self.events: list[Event] = []
        self.held: list[tuple[int, int]] = []  # (stream, address) that the allocator keeps
        self.waits: list[tuple[int, int]] = []  # (stream that waits, stream waited for)

    @contextmanager
    def guard(self):
        before = self.module.device
        try:
            yield
        finally:
            self.module.device = before

    def stream(self):
        return self.current

    def make_room(self):
        self.made_room += 1

    def hold(self, tensor):
        self.held.append((self.current, tensor.data_ptr()))

    def record(self):
        self.events.append(Event(self.current))
        return self.events[-1]

    def wait(self, event):
        self.waits.append((self.current, event.stream))
