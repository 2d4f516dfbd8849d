"""From the driver up to a whole iteration. `python -m tools.gpu.ladder`: each rung needs those before it."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import time
from functools import partial
from typing import Any

import torch

import glrast
from glrast.bench.scene import sphere
from glrast.bench.sharing import measure_sharing
from glrast.doctor import kernels as doctor
from glrast.gl import cudart, targets
from glrast.launch import cubins, cuda, source
from glrast.raster.self_test import tested

from .clock import host_us, per_call
from .plan import ITERATIONS
from .rungs import Missing, Wrong
from .setting import Rung, Setting, refuse_host_copies, run

_PACKAGES = (
    "torch", "numpy", "cupy-cuda13x", "cupy-cuda12x", "cuda-bindings", "cuda-pathfinder", "nvidia-cuda-nvrtc",
    "nvidia-cuda-nvrtc-cu12", "moderngl", "glcontext", "pytest",
)  # fmt: skip
_OF_INTEREST = (
    "shader_viewport_layer_array", "NV_depth_buffer_float", "fragment_shader_barycentric", "memory_object_fd",
)  # fmt: skip
_HEIGHT, _WIDTH = 64, 96
_CLEARED = 0x3F800000  # what every channel holds: 1 as float32


def rungs(setting: Setting) -> dict[str, Rung]:
    made: dict[str, Rung] = {
        "versions": partial(versions, setting),
        "one kernel": partial(one_kernel, setting),
        "every kernel": partial(every_kernel, setting),
        "OpenGL": partial(opengl, setting),
    }
    for name in ("R32UI", "RG32UI", "RGBA32F"):
        for layers in (1, 3):
            made[f"interop {name} x {layers}"] = partial(interop, setting, name, layers)
    made["steps of a call"] = setting.shares(partial(steps_of_a_call, setting))
    for size in ITERATIONS:
        made[f"iteration {size}"] = setting.shares(partial(iteration, setting, size))
    made["kernels"] = setting.shares(partial(kernel_times, setting))
    return made


def versions(setting: Setting) -> dict[str, Any]:
    """Packages, driver, GPU and clocks."""
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    facts: dict[str, Any] = {name: found[name] for name in _PACKAGES if name in found}
    facts["CUDA of PyTorch"] = torch.version.cuda
    if setting.device.type == "cuda":
        facts["GPU"] = torch.cuda.get_device_name(setting.device)
        facts["capability"] = cuda._capability(setting.device.index)
        facts["memory GB"] = round(
            torch.cuda.get_device_properties(setting.device).total_memory / 1e9
        )
    asking = "--query-gpu=driver_version,clocks.sm,clocks.mem,mig.mode.current"
    if shutil.which("nvidia-smi"):
        done = subprocess.run(
            ["nvidia-smi", asking, "--format=csv"], capture_output=True, text=True, timeout=15
        )
        facts["nvidia-smi"] = done.stdout or done.stderr
    return facts


def one_kernel(setting: Setting) -> dict[str, Any]:
    """`interpolate` forward and backward on a pixel of known answer, and what the first call took."""
    capability = cuda._capability(setting.device.index)
    file = cubins.found("interpolate", cuda.OPTIONS, capability)
    start = time.perf_counter()
    (finding,) = doctor.self_test(setting.device)
    took = time.perf_counter() - start
    facts = {"from": file.name if file else "NVRTC", "first call s": round(took, 2)}
    if finding.state != "ok":
        raise Wrong(finding.text, facts)
    return facts


def every_kernel(setting: Setting) -> dict[str, float]:
    """Seconds to load or compile each kernel file, the form for deterministic sums too."""
    device, took = setting.device, {}
    for stem in ["transform"] if setting.tiny else sorted(source.stems()):
        adds = set(source.kernels(stem)) & set(cuda.ADDS)
        for option in ("", cuda.RECORD) if adds else ("",):
            start = time.perf_counter()
            for kernel in sorted(adds) if option else source.kernels(stem):
                cuda._function(stem, kernel, device.index, option)
            took[f"{stem} {option}".strip()] = round(time.perf_counter() - start, 2)
    return took


def opengl(setting: Setting) -> dict[str, Any]:
    """Which OpenGL draws, and whether its images stay on the GPU."""
    gl = tested(setting.device)
    facts = {
        "renderer": gl.renderer, "version": gl.version, "limits": vars(gl.limits),
        "extensions": [e for e in sorted(gl.extensions) if any(name in e for name in _OF_INTEREST)],
        "way": getattr(gl.sharing, "reason", "") or type(gl.sharing).__name__,
        "make current us": host_us(partial(_enter, gl), 10 if setting.tiny else 200),
    }  # fmt: skip
    refuse_host_copies(setting, facts)
    return facts


def _enter(gl: Any) -> None:
    with gl.egl:
        pass


def interop(setting: Setting, name: str, layers: int) -> dict[str, Any]:
    """A cleared texture of `layers` layers, registered and mapped: what each view of it shows, and what calls take."""
    gl = tested(setting.device)
    if setting.device.type == "cpu" and not setting.fake:
        raise Missing("CPU tensors share nothing with CUDA")
    refuse_host_copies(setting)
    runtime: cudart.Runtime = gl.sharing.runtime
    repeats, row = 3 if setting.tiny else 100, {}
    with gl.current(), runtime.on_device():
        row["GPUs of OpenGL"] = runtime.gl_devices()
        format = getattr(targets, name)
        target = targets.Target(gl, format, _HEIGHT, _WIDTH, layers)
        target.clear((_CLEARED,) * 4)
        handle, stream = runtime.register_image(target.color), runtime.stream()
        runtime.map([handle], stream)
        row |= {view: _shown(runtime, view, handle, layers) for view in cudart.VIEWS}
        row |= _read(setting, runtime, target, handle, stream, repeats)
        runtime.unmap([handle], stream)
        row["map and unmap us"] = host_us(
            lambda: (runtime.map([handle], stream), runtime.unmap([handle], stream)), repeats
        )
        runtime.unregister(handle)
        handles: list[Any] = []
        row["register us"] = host_us(
            lambda: (handles.append(runtime.register_image(target.color)), runtime.unregister(handles[-1])), repeats
        )  # fmt: skip
        target.release()
    if row["read"] is not True:
        raise Wrong(f"what was read is not what was drawn: {row['read']}", row)
    return row


def _shown(runtime: cudart.Runtime, view: str, handle: Any, layers: int) -> Any:
    """(layers, height, width) of each array of a view, 0 layers of a flat one; or CUDA's refusal."""
    try:
        return [runtime._extent(array) for array in runtime._arrays_of(view, handle, layers)]
    except (cudart.CudaError, AssertionError) as error:  # the fake asserts CUDA's rules
        return str(error) or "refused"


def _read(
    setting: Setting, runtime: cudart.Runtime, target: targets.Target, handle: Any, stream: int, repeats: int
) -> dict[str, Any]:  # fmt: skip
    """Every pixel copied from the view that serves, as glrast does; and a texture object, where there can be one."""
    layers, channels = target.layers, target.channels
    shape = (layers, _HEIGHT, _WIDTH, channels) if channels > 1 else (layers, _HEIGHT, _WIDTH)
    out = torch.full(shape, -1, dtype=target.format.dtype, device=setting.device)
    try:
        found = runtime.arrays(handle, layers, _HEIGHT, _WIDTH, None)
        runtime.copy_arrays(found, out, channels, stream)
    except cudart.CudaError as error:
        return {"read": str(error)}
    values = out.unique().tolist()
    wanted = [1.0] if target.format.dtype.is_floating_point else [_CLEARED]
    row: dict[str, Any] = {"served": found.view, "read": values == wanted or values[:4]}
    if found.whole is not None:
        row["texture object us"] = host_us(
            lambda: runtime.destroy_texture(runtime.texture(found.whole)), repeats
        )
    return row


def steps_of_a_call(setting: Setting) -> dict[str, Any]:
    small = (2, 80, 33) if setting.tiny else (50, 81920, 1024)
    return measure_sharing(setting.device, *small)


def iteration(setting: Setting, size: int) -> dict[str, Any]:
    """rasterize, interpolate, antialias and the way back, with each program."""
    return {
        program: per_call([_step(setting, size, program)], setting.repeats, setting.device)
        for program in ("id", "full")
    }


def kernel_times(setting: Setting) -> dict[str, float]:
    """Microseconds of each kernel on the device, by torch.profiler: one iteration at 1024 x 1024."""
    if setting.device.type != "cuda":
        raise Missing("only a GPU's driver tells what a kernel takes")
    from torch.profiler import ProfilerActivity, profile

    step = _step(setting, 1024, "id")
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        for _ in range(5):
            step()
        torch.cuda.synchronize()
    return {
        event.key[:70]: round(event.self_device_time_total / event.count, 1)
        for event in found.key_averages()
        if event.count and event.self_device_time_total
    }


def _step(setting: Setting, size: int, program: str) -> Rung:
    triangles, size = (80, 33) if setting.tiny else (81920, size)
    made = sphere(triangles, size, setting.device)
    ctx = glrast.Context(setting.device, buffers=program)
    pos, color = made.pos_clip.detach().requires_grad_(), made.color.clone().requires_grad_()
    topology = glrast.antialias_construct_topology_hash(made.tri)

    def step() -> None:
        rast, _ = glrast.rasterize(ctx, pos, made.tri, made.resolution)
        image, _ = glrast.interpolate(color, rast, made.tri)
        glrast.antialias(image, rast, pos, made.tri, topology).sum().backward()

    return step


if __name__ == "__main__":
    raise SystemExit(run("ladder", rungs))
