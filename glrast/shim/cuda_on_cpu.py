"""Programs that write 'cuda' into their code, on a machine without CUDA: what they put there stays on the CPU.

PyTorch's functions are exchanged for the whole process: those that make tensors, move them, load them, and those of
torch.cuda that wait, time and count. torch.cuda.is_available() goes on to say False, and a tensor's device is 'cpu':
nothing pretends that a GPU is there. A TorchFunctionMode would be shorter, but is off inside backward and in other
threads.
"""

from __future__ import annotations

import functools
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch.utils import _device

from .. import context
from . import cuda_module

# Where PyTorch's own list of what takes `device=` is kept differs by version, so functions are found by what they say.
_SAYS_DEVICE = "device (:class:`torch.device`"
_ALSO = (
    "as_tensor", "asarray", "tensor", "empty", "empty_like", "empty_strided", "zeros", "zeros_like", "ones",
    "ones_like", "full", "full_like", "rand", "rand_like", "randn", "randn_like", "randint", "randint_like",
    "randperm", "normal", "arange", "range", "linspace", "logspace", "eye", "from_file", "scalar_tensor",
    "tril_indices", "triu_indices", "empty_permuted", "empty_quantized", "sparse_coo_tensor", "sparse_csr_tensor",
    "sparse_csc_tensor", "sparse_bsr_tensor", "sparse_bsc_tensor", "sparse_compressed_tensor", "bartlett_window",
    "blackman_window", "hamming_window", "hann_window", "kaiser_window", "nested_tensor",
)  # fmt: skip
_NEW = ("new_tensor", "new_empty", "new_empty_strided", "new_full", "new_ones", "new_zeros", "new")
_done = False


def put_cuda_on_cpu() -> None:
    """From here on, in this process, 'cuda' means the CPU to PyTorch and to glrast's contexts. Twice is once."""
    global _done
    if _done:
        return
    _done = True
    for space in (torch, torch.fft, torch.nested):
        for name in dir(space):
            made = getattr(space, name)
            if not isinstance(made, FunctionType | BuiltinFunctionType):
                continue
            if name in _ALSO or _SAYS_DEVICE in (made.__doc__ or ""):
                setattr(space, name, _on_cpu(made))
    _tensors_stay()
    _wholes_stay()
    cuda_module.exchange()
    resolve = context.torch_device
    context.torch_device = lambda device=None: resolve(on_cpu(device))


def on_cpu(device: Any) -> Any:
    """The device that is used in place of this one: a torch.device, a name or an ordinal. All else is as it was."""
    if isinstance(device, torch.device):
        return torch.device("cpu") if device.type == "cuda" else device
    if isinstance(device, str):
        return "cpu" if device.split(":")[0] == "cuda" else device
    return "cpu" if type(device) is int else device


def _named(given: Any) -> Any:
    """The same of a positional argument: a number there is a size, not a device."""
    return on_cpu(given) if isinstance(given, str | torch.device) else given


def _on_cpu(function: Any) -> Any:
    """`function` with its device, and without memory that is pinned for a GPU."""

    @functools.wraps(function)
    def called(*args: Any, **named: Any) -> Any:
        if "device" in named:
            named["device"] = on_cpu(named["device"])
        if named.get("pin_memory"):
            named["pin_memory"] = False
        return function(*(_named(x) for x in args), **named)

    _register_with_script(function, called)
    return called


def _register_with_script(function: Any, called: Any) -> None:
    """torch.jit.script knows PyTorch's functions by their identity."""
    known: Any = torch.jit._builtins  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    if operator := known._find_builtin(function):
        known._register_builtin(called, operator)


def _tensors_stay() -> None:
    """Methods of tensors that move them."""
    Tensor: Any = torch.Tensor
    to, of_type = Tensor.to, Tensor.type

    def moved(self: Any, *args: Any, **named: Any) -> Any:
        # the first argument is a device, a dtype or a tensor; a number is an ordinal
        args = tuple(on_cpu(x) if i == 0 else _named(x) for i, x in enumerate(args))
        if "device" in named:
            named["device"] = on_cpu(named["device"])
        return to(self, *args, **named)

    def typed(self: Any, dtype: Any = None, *args: Any, **named: Any) -> Any:
        return of_type(self, cuda_module.host_type(dtype), *args, **named)

    Tensor.to, Tensor.type = moved, typed
    Tensor.cuda = lambda self, *args, **named: self
    Tensor.pin_memory = lambda self, *args, **named: self
    Tensor.record_stream = lambda self, stream: None
    for name in _NEW:
        setattr(Tensor, name, _on_cpu(getattr(Tensor, name)))


def _wholes_stay() -> None:
    """Modules, files, generators and the default device."""
    Module: Any = torch.nn.Module
    to, load, generator = Module.to, torch.load, torch.Generator

    def moved(self: Any, *args: Any, **named: Any) -> Any:
        args = tuple(on_cpu(x) if i == 0 else _named(x) for i, x in enumerate(args))
        if "device" in named:
            named["device"] = on_cpu(named["device"])
        return to(self, *args, **named)

    @functools.wraps(load)
    def loaded(f: Any, map_location: Any = "cpu", *args: Any, **named: Any) -> Any:
        if isinstance(map_location, dict):
            map_location = {saved: on_cpu(place) for saved, place in map_location.items()}
        where = "cpu" if map_location is None else on_cpu(map_location)
        return load(f, where, *args, **named)

    class IsGenerator(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, generator)

        def __call__(cls, device: Any = "cpu") -> Any:
            return generator(on_cpu(device))

    Module.to, Module.cuda = moved, lambda self, device=None: self
    torch.load = loaded
    torch.Generator = IsGenerator("Generator", (), {"__doc__": generator.__doc__})  # type: ignore[misc]
    torch.set_default_device = _on_cpu_first(torch.set_default_device)
    of_type = torch.set_default_tensor_type
    torch.set_default_tensor_type = lambda t: of_type(cuda_module.host_type(t))
    mode: Any = _device.DeviceContext  # `with torch.device("cuda"):`
    mode.__init__ = _method_on_cpu_first(mode.__init__)


def _on_cpu_first(function: Any) -> Any:
    return functools.wraps(function)(lambda device: function(on_cpu(device)))


def _method_on_cpu_first(function: Any) -> Any:
    return functools.wraps(function)(lambda self, device: function(self, on_cpu(device)))
