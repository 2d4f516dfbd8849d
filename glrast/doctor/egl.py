"""EGL and the OpenGL behind it: the library, the vendor files, the devices, the one that a torch device gets."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..gl import egl, scope
from .finding import Finding
from .symptoms import MESA, NVIDIA_JSON, explained

# Where glvnd's libEGL looks for vendors, unless the environment names other places.
VENDOR_FOLDERS = (Path("/etc/glvnd/egl_vendor.d"), Path("/usr/share/glvnd/egl_vendor.d"))
# What an extension is good for, by the absence of it.
EXTENSIONS = {
    "GL_ARB_shader_viewport_layer_array": "without it the images of a batch are drawn one by one",
    "GL_NV_fragment_shader_barycentric": "without it the program `full` pulls its vertices by hand",
}
LIMITS = {
    "resolution": "GL_MAX_VIEWPORT_DIMS",
    "texture": "GL_MAX_TEXTURE_SIZE",
    "layers": "GL_MAX_ARRAY_TEXTURE_LAYERS",
}


def library(load: Callable[[], Any] | None = None) -> list[Finding]:
    """libEGL.so.1 itself."""
    try:
        (load or egl._library)()
    except egl.EGLError as error:
        remedy = f"apt-get install libegl1 libgl1; {MESA}"
        return [explained(Finding("EGL", str(error), "fault", remedy))]
    return [Finding("EGL", "libEGL.so.1 is here")]


def opengl_library(load: Callable[[str], Any] = ctypes.CDLL) -> list[Finding]:
    """libGL.so.1: glrast takes its functions from libEGL, other programs that use moderngl load it."""
    try:
        load("libGL.so.1")
    except OSError as error:
        text = f"libGL.so.1 does not load ({error}): glrast does without it, moderngl's own contexts do not"
        return [Finding("EGL", text, "note", "apt-get install libgl1")]
    return []


def vendors(
    has_nvidia: bool,
    environ: Mapping[str, str] = os.environ,
    folders: tuple[Path, ...] = VENDOR_FOLDERS,
    load: Callable[[str], Any] = ctypes.CDLL,
) -> list[Finding]:
    """The vendor files that libEGL reads, and whether the driver that each names can be loaded.

    Problems are notes: a libEGL that comes with its driver needs no vendor files. `devices` has the last word.
    """
    files, source = _vendor_files(environ, folders)
    out = [_vendor(file, source, load, has_nvidia) for file in files]
    if not out:
        remedy = NVIDIA_JSON if has_nvidia else MESA
        out.append(Finding("EGL", f"there is no vendor file (*.json) in {source}", "note", remedy))
    elif has_nvidia and not any("nvidia" in str(f.facts.get("library")) for f in out):
        text = "there is an NVIDIA GPU, but no vendor file names its EGL library"
        remedy = f"{NVIDIA_JSON}; if that library is absent install libnvidia-gl-<driver version>"
        out.append(Finding("EGL", text, "note", remedy))
    return out


def devices(
    vendor_findings: Sequence[Finding] = (),
    listing: Callable[[], list[egl.Device]] | None = None,
    inspect: Callable[[egl.Device], dict[str, Any]] | None = None,
) -> list[Finding]:
    """Every EGL device with what its OpenGL offers; a fault if none of them gives OpenGL 4.5.

    Args:
        vendor_findings: from `vendors`: where there is no device, they tell why.
    """
    try:
        found = (listing or egl.devices)()
    except egl.EGLError as error:
        return [explained(Finding("OpenGL", str(error), "fault", MESA))]
    if not found:
        why = [f for f in vendor_findings if f.state != "ok"]
        text = "EGL lists no device" + (f": {why[0].text}" if why else "")
        return [Finding("OpenGL", text, "fault", why[0].remedy if why else MESA)]
    out = [_device(device, inspect or offers) for device in found]
    if all(f.state != "ok" for f in out):
        text = f"no device gives an OpenGL 4.5 core context; {out[0].text}"
        out.append(explained(Finding("OpenGL", text, "fault", f"update the driver, or {MESA}")))
    return out


def offers(device: egl.Device) -> dict[str, Any]:
    """Vendor, renderer, version, limits and extensions of a context made on `device` for the purpose."""
    import moderngl

    context = egl.Context(device)
    try:
        with context:
            made: Any = context  # moderngl takes any object with its methods; its stub says a dict
            gl = moderngl.create_context(context=made, require=450)
            return {
                "vendor": gl.info["GL_VENDOR"],
                "renderer": gl.info["GL_RENDERER"],
                "version": gl.info["GL_VERSION"],
                "limits": {name: gl.info[key] for name, key in LIMITS.items()},
                "extensions": {name: name in gl.extensions for name in EXTENSIONS},
            }
    finally:
        context.release()


def used(device: torch.device, asked: bool, opened: Callable | None = None) -> list[Finding]:
    """The OpenGL device that tensors of `device` are drawn on; a failure is a fault only where it was asked for."""
    try:
        if opened is None:
            from ..raster.self_test import tested as opened
        context = opened(device)
    except Exception as error:  # a driver or moderngl itself may fail in any way
        text = f"{device} tensors cannot be drawn: {error}"
        remedy = MESA if asked else ""
        return [explained(Finding("OpenGL", text, "fault" if asked else "note", remedy))]
    facts = {"device": str(device), "egl": context.egl.device.index, "renderer": context.renderer}
    text = f"{device} tensors are drawn on EGL device {facts['egl']}, {context.renderer}"
    if device.type == "cuda" and context.software:
        text += ": software, beside an NVIDIA GPU; correct, but slow"
        return [Finding("OpenGL", text, "note", f"give OpenGL the GPU: {NVIDIA_JSON}", facts)]
    return [Finding("OpenGL", text, facts=facts)]


def symbols(llvm: str | None, triton: Path | None) -> list[Finding]:
    """A driver's LLVM among the global symbols, which kills other libraries that carry one; see glrast/gl/scope.py.

    Args:
        llvm: the file it is in, asked for after a context was opened.
        triton: Triton's library, if it is installed.
    """
    if llvm is None:
        return []
    whose = f"{triton}, which torch.optim and torch.compile load," if triton else "Triton"
    text = (
        f"{llvm} is among the global symbols of a process that draws: a library with an LLVM of its own that is "
        f"loaded later takes functions from it and crashes; {whose} does"
    )
    remedy = "import triton (and the like) before whatever opens OpenGL first, glrast or not"
    return [Finding("OpenGL", text, "note", remedy, {"global_llvm": llvm, "triton": triton})]


def global_symbols() -> list[Finding]:
    """`symbols` of this process."""
    return symbols(scope.global_llvm(), scope.triton_library())


def _vendor_files(environ: Mapping[str, str], folders: tuple[Path, ...]) -> tuple[list[Path], str]:
    """The files as libEGL picks them, and what tells it to."""
    named = environ.get("__EGL_VENDOR_LIBRARY_FILENAMES")
    if named:
        return [Path(name) for name in named.split(":") if name], "__EGL_VENDOR_LIBRARY_FILENAMES"
    listed = environ.get("__EGL_VENDOR_LIBRARY_DIRS")
    places = [Path(name) for name in listed.split(":") if name] if listed else folders
    source = "__EGL_VENDOR_LIBRARY_DIRS" if listed else " or ".join(map(str, folders))
    return [file for place in places for file in sorted(place.glob("*.json"))], source


def _vendor(file: Path, source: str, load: Callable[[str], Any], has_nvidia: bool) -> Finding:
    try:
        name = json.loads(file.read_text())["ICD"]["library_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        text = f"vendor file {file} cannot be read ({why})"
        remedy = f"unset or correct {source}" if source.startswith("_") else "write it again"
        return Finding("EGL", text, "note", remedy, {"file": str(file)})
    facts = {"file": str(file), "library": name}
    try:
        load(name)
    except OSError as error:
        text = f"vendor file {file} names {name}, which cannot be loaded ({error})"
        if "nvidia" in name and not has_nvidia:  # an image made for both kinds of machine
            return Finding("EGL", f"vendor file {file} waits for an NVIDIA GPU", facts=facts)
        remedy = "install that driver library (container: NVIDIA_DRIVER_CAPABILITIES with graphics)"
        finding = Finding("EGL", text, "note", remedy, facts)
        return explained(finding) if "GLIBCXX" in text else finding
    return Finding("EGL", f"vendor file {file} names {name}, which loads", facts=facts)


def _device(device: egl.Device, inspect: Callable[[egl.Device], dict[str, Any]]) -> Finding:
    kind = "software" if device.software else "hardware"
    if device.cuda_index is not None:
        kind = f"CUDA device {device.cuda_index}"
    facts: dict[str, Any] = {
        "index": device.index, "cuda_index": device.cuda_index, "software": device.software,
    }  # fmt: skip
    name = f"EGL device {device.index} ({kind})"
    try:
        facts |= inspect(device)
    except Exception as error:  # a driver may fail in any way; the next device is still of interest
        return explained(Finding("OpenGL", f"{name}: {error}", "note", facts=facts))
    height, width = facts["limits"]["resolution"]
    extensions = [
        f"{extension} present" if present else f"{extension} absent ({EXTENSIONS[extension]})"
        for extension, present in facts["extensions"].items()
    ]
    text = (
        f"{name}: {facts['renderer']}, OpenGL {facts['version']} by {facts['vendor']}; up to {height} x {width} "
        f"pixels and {facts['limits']['layers']} layers; {'; '.join(extensions)}"
    )
    return Finding("OpenGL", text, facts=facts)
