"""The table of error messages: each as its software words it, with the remedy that must be offered."""

import pytest

from glrast.doctor import Finding
from glrast.doctor.symptoms import SYMPTOMS, explained

MESSAGES = [
    ("requested device index 0, but found 0 devices", "no vendor file", "10_nvidia.json"),
    ("eglInitialize on EGL device 0 failed: EGL_NOT_INITIALIZED: ... (0x3001)", "own libraries", "graphics"),
    ("libEGL.so.1: cannot open shared object file: No such file", "libEGL is absent", "libegl1"),
    ("libGL.so.1: cannot open shared object file", "libGL is absent", "libgl1"),
    ("eglMakeCurrent failed: EGL_BAD_DISPLAY (0x3008)", "default display", "EGL_PLATFORM"),
    ("failed to open /dev/dri/renderD128: Permission denied", "device file", "video and render"),
    ("eglCreateContext on EGL device 1 failed: EGL_BAD_ACCESS (0x3002)", "device file", "--device /dev/dri"),
    ("libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by libLLVM)", "libstdc++", "conda"),
    ("cudaGraphicsGLRegisterImage: cudaErrorOperatingSystem (304)", "WSL", "host memory"),
    ("CUDA error 304", "WSL", "host memory"),
    ("cudaGraphicsGLRegisterImage: cudaErrorUnknown (999)", "not on the GPU", "CUDA_VISIBLE_DEVICES"),
    ("cudaSetDevice: cudaErrorInsufficientDriver (35)", "older than the CUDA", "'cuda-bindings>=12.9.4,<13'"),
    ("CUDA error 35", "older than the CUDA", "needs driver 580"),
    ('CuPy failed to load libnvrtc.so.12: OSError: libnvrtc.so.12: cannot open', "no NVRTC", "nvidia-cuda-nvrtc-cu12"),
    ("cudaErrorInvalidGraphicsContext", "not on the GPU", "CUDA_VISIBLE_DEVICES"),
    ("CUDA error 219", "not on the GPU", "CUDA_VISIBLE_DEVICES"),
    ("cudaGraphicsGLRegisterImage: success, but a null handle", "null handle", "cuda-bindings>=12.9.4"),
    ("name 'mgl' is not defined", "extension failed to import", "force-reinstall"),
    ("Failed to initialize NVML: Driver/library version mismatch", "upgraded", "restart"),
    ("eglCreateContext failed: EGL_BAD_ALLOC: out of memory (0x3003)", "memory", "nvidia-smi"),
    ("Requested OpenGL version 450, got version 330", "no OpenGL 4.5", "update the driver"),
]  # fmt: skip


@pytest.mark.parametrize("message, cause, remedy", MESSAGES)
@pytest.mark.parametrize("state", ["note", "fault"])
def test_a_known_message_gets_its_cause_and_remedy(message, cause, remedy, state):
    found = explained(Finding("OpenGL", message, state, "what is usually done", {"index": 0}))
    assert found.state == state and found.text.startswith(message)
    assert cause in found.text and cause in found.facts["cause"] and found.facts["index"] == 0
    assert remedy in found.remedy


def test_every_symptom_of_the_table_has_a_message_here():
    causes = {explained(Finding("", m, "fault")).facts["cause"] for m, _, _ in MESSAGES}
    assert causes == {cause for _, cause, _ in SYMPTOMS}


@pytest.mark.parametrize(
    "message", ["304 pixels wrong of 219", "eglCreateContext failed (0x3005)", ""]
)
def test_an_unknown_message_stays_as_it_is(message):
    finding = Finding("OpenGL", message, "fault", "what is usually done")
    assert explained(finding) is finding


def test_what_is_fine_is_not_explained():
    finding = Finding("OpenGL", "libGL.so.1 is here")
    assert explained(finding) is finding
