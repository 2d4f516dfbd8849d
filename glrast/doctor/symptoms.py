"""What error messages of EGL, drivers, CUDA and Python packages mean, and the remedy: one table, first match wins."""

from __future__ import annotations

import re
from dataclasses import replace

from .finding import Finding

MESA = "apt-get install libegl-mesa0 libgl1-mesa-dri (software rendering on the CPU)"
NVIDIA_JSON = (
    "write /usr/share/glvnd/egl_vendor.d/10_nvidia.json with "
    '{"file_format_version":"1.0.0","ICD":{"library_path":"libEGL_nvidia.so.0"}}'
)
CONDA = (
    "conda's libstdc++ is older than the system's: conda install -c conda-forge libstdcxx-ng, or start Python with "
    "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
)
CAPABILITIES = "start the container with -e NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility"
GROUPS = "add the user to the groups video and render and log in again; container: pass --device /dev/dri"
OLDER_BINDINGS = "cuda-bindings 13 needs driver 580: update the driver, or pip install 'cuda-bindings>=12.9.4,<13'"
NVRTC = (
    "pip install nvidia-cuda-nvrtc (CUDA 12: nvidia-cuda-nvrtc-cu12), which PyTorch's wheels bring and conda's and "
    "system packages may not"
)
HOST_COPY = "let images go through host memory (correct, slower)"

# pattern, cause, remedy
SYMPTOMS = (
    (r"GLIBCXX_\d|CXXABI_\d", "a driver library needs a newer libstdc++ than the one already loaded", CONDA),
    (r"requested device index \d+, but found 0|lists no device", "libEGL has no vendor file that leads to a driver",
     f"{MESA}; for an NVIDIA GPU {NVIDIA_JSON}"),
    (r"libGL\.so", "libGL is absent", "apt-get install libgl1"),
    (r"libEGL\.so", "libEGL is absent", f"apt-get install libegl1; {MESA}"),
    (r"name 'mgl' is not defined|cannot import name 'mgl'|moderngl\.mgl", "moderngl's extension failed to import",
     "pip install --force-reinstall --no-cache-dir moderngl (a wheel for this Python)"),
    (r"[Dd]river/library version mismatch|API mismatch|client .* kernel (module|driver)",
     "NVIDIA's driver was upgraded and the old kernel module is still loaded",
     "restart the machine (or unload and load the nvidia modules); start containers anew"),
    (r"cudaErrorOperatingSystem|(error|code|cuda\w*)\W{0,3}304\b",
     "CUDA cannot share OpenGL's memory here: WSL, or OpenGL is on another device",
     f"under WSL {HOST_COPY}; elsewhere see which EGL device the CUDA device is"),
    (r"cudaErrorInsufficientDriver|(error|code|cuda\w*)\W{0,3}35\b",
     "the NVIDIA driver is older than the CUDA that a package brings, or there is none", OLDER_BINDINGS),
    (r"DynamicLibNotFound|libnvrtc", "CuPy finds no NVRTC, which compiles the kernels", NVRTC),
    (r"cudaErrorInvalidGraphicsContext|cudaErrorUnknown|(error|code|cuda\w*)\W{0,3}(219|999)\b",
     "the OpenGL context is not on the GPU that CUDA uses",
     f"check CUDA_VISIBLE_DEVICES and that OpenGL is not on software beside the GPU; {NVIDIA_JSON}"),
    (r"[Nn]ull handle|handle is (zero|0|null)", "cuda-bindings returned success with a null handle",
     "pip install 'cuda-bindings>=12.9.4,!=13.0.0,!=13.0.1,!=13.0.2'"),
    (r"0x3008|EGL_BAD_DISPLAY", "the default display was used, and there is none on a machine without a screen",
     "unset EGL_PLATFORM and DISPLAY; glrast itself asks for a device's display"),
    (r"[Pp]ermission denied.*(dri|render|nvidia)|(dri|render|nvidia).*[Pp]ermission denied|0x3002|EGL_BAD_ACCESS",
     "the GPU's device file may not be opened", GROUPS),
    (r"0x3001|EGL_NOT_INITIALIZED", "the driver's own libraries are not there",
     f"NVIDIA: {CAPABILITIES}; Mesa: {MESA}. EGL_LOG_LEVEL=debug in the environment says which"),
    (r"0x3003|EGL_BAD_ALLOC|GL_OUT_OF_MEMORY", "memory is exhausted, often by other processes on the same GPU",
     "close them, see nvidia-smi"),
    (r"0x3004|0x3009|got version \d+", "the driver has no OpenGL 4.5", f"update the driver, or {MESA}"),
)  # fmt: skip


def explained(finding: Finding) -> Finding:
    """The finding with cause and remedy of the symptom its text shows; as it is where none is known."""
    for pattern, cause, remedy in SYMPTOMS:
        if finding.state != "ok" and re.search(pattern, finding.text, re.DOTALL):
            facts = {**finding.facts, "cause": cause}
            return replace(finding, text=f"{finding.text} [{cause}]", remedy=remedy, facts=facts)
    return finding
