"""`glrast doctor`: each situation it knows is made up here, and its cause and remedy must be named."""

import json
import subprocess
import sys
import types

import pytest
import torch

import glrast
from glrast.cli import doctor as command
from glrast.cli import main as cli
from glrast.doctor import egl, kernels, triangle
from glrast.gl import egl as gl_egl
from tests.doctor.findings import only

CPU = torch.device("cpu")
SOFTWARE = gl_egl.Device(0, 1, None, True)
GPU = gl_egl.Device(1, 2, 0, False)
OFFERS = {
    "vendor": "Mesa",
    "renderer": "llvmpipe",
    "version": "4.5",
    "limits": {"resolution": (16384, 16384), "texture": 16384, "layers": 2048},
    "extensions": {"GL_ARB_shader_viewport_layer_array": True, "GL_NV_fragment_shader_barycentric": False},
}  # fmt: skip


def raising(error):
    def function(*_, **__):
        raise error

    return function


# ---- this machine -------------------------------------------------------------------------------


def test_doctor_finds_that_rendering_works_here(capsys):
    assert cli.main(["doctor", "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    for part in (
        "Versions",
        "torch",
        "host library",
        "EGL device 0",
        "layers",
        "program `id`",
        "program `full`",
    ):
        assert part in text
    assert "GL_ARB_shader_viewport_layer_array" in text
    assert "GL_NV_fragment_shader_barycentric" in text
    assert text.rstrip().endswith("Rendering works on cpu.")


def test_json_holds_the_same_for_machines(capsys):
    assert cli.main(["doctor", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["works"] is True and report["device"] == "cpu"
    facts = {
        key: value for finding in report["findings"] for key, value in finding["facts"].items()
    }
    assert facts["glrast"] == glrast.__version__
    assert facts["limits"]["layers"] > 0 and "cuda_index" in facts


def test_an_unknown_device_word_is_refused(capsys):
    assert cli.main(["doctor", "--device", "tpu"]) == cli.WRONG_INPUT
    assert "got 'tpu'" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_asked_for_without_cuda_is_a_fault_with_a_remedy(capsys):
    assert cli.main(["doctor", "--device", "cuda"]) == 1
    text = capsys.readouterr().out
    assert "finds 0 CUDA devices" in text and "use --device cpu" in text
    assert "EGL device 0" in text  # the rest is still told


@pytest.mark.slow
def test_no_device_is_told_by_the_vendor_file_that_is_missing(tmp_path):
    import os

    missing = str(tmp_path / "none.json")
    done = subprocess.run(
        [sys.executable, "-m", "glrast", "doctor", "--device", "cpu"], capture_output=True, text=True,
        timeout=600, env=os.environ | {"__EGL_VENDOR_LIBRARY_FILENAMES": missing},
    )  # fmt: skip
    text = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert f"EGL lists no device: vendor file {missing} cannot be read" in text
    assert text.endswith("What to do: unset or correct __EGL_VENDOR_LIBRARY_FILENAMES")


# ---- made-up situations -------------------------------------------------------------------------


def test_libegl_missing_names_the_package():
    error = gl_egl.EGLError("glrast: libEGL.so.1 cannot be loaded (no such file)")
    found = only(egl.library(raising(error)))
    assert found.state == "fault" and "libEGL.so.1" in found.text
    assert "apt-get install libegl1" in found.remedy


@pytest.mark.parametrize("nvidia, remedy", [(False, "libegl-mesa0"), (True, "10_nvidia.json")])
def test_no_vendor_file_gives_the_remedy_of_the_hardware(tmp_path, nvidia, remedy):
    found = only(egl.vendors(nvidia, {}, (tmp_path,)))
    assert found.state == "note" and "no vendor file" in found.text
    assert remedy in found.remedy


def test_a_gpu_without_its_vendor_file_is_noted(tmp_path):
    (tmp_path / "50_mesa.json").write_text('{"ICD": {"library_path": "libEGL_mesa.so.0"}}')
    found = egl.vendors(True, {}, (tmp_path,), load=lambda name: None)
    assert [f.state for f in found] == ["ok", "note"]
    assert "NVIDIA GPU" in found[1].text and "libnvidia-gl" in found[1].remedy


def test_a_vendor_library_that_does_not_load_gives_its_reason(tmp_path):
    (tmp_path / "10_nvidia.json").write_text('{"ICD": {"library_path": "libEGL_nvidia.so.0"}}')
    absent = raising(OSError("cannot open shared object"))
    found = egl.vendors(True, {}, (tmp_path,), load=absent)[0]
    assert found.state == "note" and "cannot open shared object" in found.text
    conda = raising(OSError("version `GLIBCXX_3.4.30' not found"))
    assert "conda" in only(egl.vendors(True, {}, (tmp_path,), load=conda)).remedy


@pytest.mark.parametrize("text", ["not json", "[]", "{}", '{"ICD": null}'])
def test_a_broken_vendor_file_is_named(tmp_path, text):
    (tmp_path / "50_mesa.json").write_text(text)
    found = only(egl.vendors(False, {}, (tmp_path,)))
    assert found.state == "note" and "50_mesa.json cannot be read" in found.text


def test_vendor_files_named_by_the_environment_replace_the_folders(tmp_path):
    (tmp_path / "a.json").write_text('{"ICD": {"library_path": "liba.so"}}')
    environ = {"__EGL_VENDOR_LIBRARY_FILENAMES": str(tmp_path / "a.json")}
    found = only(egl.vendors(False, environ, (), load=lambda name: None))
    assert found.facts["library"] == "liba.so"


def test_no_device_at_all_is_a_fault():
    found = only(egl.devices(listing=lambda: []))
    assert found.state == "fault" and "EGL lists no device" in found.text


def test_one_good_device_beside_a_broken_one_is_enough():
    def inspect(device):
        if device is GPU:
            raise gl_egl.EGLError("eglInitialize failed (0x3001)")
        return OFFERS

    found = egl.devices(listing=lambda: [SOFTWARE, GPU], inspect=inspect)
    assert [f.state for f in found] == ["ok", "note"]
    assert "up to 16384 x 16384" in found[0].text and "2048 layers" in found[0].text
    assert "GL_NV_fragment_shader_barycentric absent" in found[0].text
    assert "CUDA device 0" in found[1].text and "0x3001" in found[1].text


def test_devices_that_all_fail_are_a_fault_with_the_first_reason():
    error = ValueError("Requested OpenGL version 450, got version 330")  # moderngl's words
    found = egl.devices(listing=lambda: [SOFTWARE], inspect=raising(error))
    assert [f.state for f in found] == ["note", "fault"]
    assert "got version 330" in found[1].text and "update the driver" in found[1].remedy


@pytest.mark.parametrize("asked, state", [(True, "fault"), (False, "note")])
def test_a_device_that_does_not_open_is_a_fault_only_where_it_was_asked_for(asked, state):
    found = only(egl.used(CPU, asked, opened=raising(gl_egl.EGLError("eglInitialize failed"))))
    assert found.state == state and "eglInitialize failed" in found.text


def test_software_drawing_for_a_gpu_is_noted():
    device = types.SimpleNamespace(index=0)
    opened = types.SimpleNamespace(
        egl=types.SimpleNamespace(device=device), renderer="llvmpipe", software=True
    )
    found = only(egl.used(torch.device("cuda", 0), True, opened=lambda _: opened))
    assert found.state == "note" and "software, beside an NVIDIA GPU" in found.text
    assert only(egl.used(CPU, True, opened=lambda _: opened)).state == "ok"


def test_host_library_missing_says_how_it_is_built(monkeypatch):
    error = RuntimeError("glrast: the host library is missing; looked for /nowhere")
    monkeypatch.setattr(kernels.cpu, "host_library", raising(error))
    found = only(kernels.host_library())
    assert found.state == "fault" and "/nowhere" in found.text
    assert "C++17 compiler" in found.remedy


def test_a_kernel_with_a_wrong_result_is_a_fault(monkeypatch):
    assert only(kernels.self_test(CPU)).state == "ok"
    wrong = lambda attr, rast, tri: (attr.sum(), None)  # noqa: E731
    monkeypatch.setattr(kernels, "interpolate", wrong)
    found = only(kernels.self_test(CPU))
    assert found.state == "fault" and "not 3" in found.text


def test_the_catalogue_is_consulted_from_end_to_end(monkeypatch, capsys):
    """An error deep in a driver reaches the verdict with its cause and remedy, as text and as JSON."""
    broken = raising(RuntimeError("cudaGraphicsGLRegisterImage: cudaErrorUnknown (999)"))
    monkeypatch.setattr(glrast, "rasterize", broken)
    assert cli.main(["doctor", "--device", "cpu"]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "cudaErrorUnknown (999) [the OpenGL context is not on the GPU that CUDA uses]" in text
    assert "What to do: check CUDA_VISIBLE_DEVICES" in text
    assert cli.main(["doctor", "--device", "cpu", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    fault = next(f for f in report["findings"] if f["state"] == "fault")
    assert fault["facts"]["cause"] == "the OpenGL context is not on the GPU that CUDA uses"
    assert fault["remedy"].startswith("check CUDA_VISIBLE_DEVICES")


def test_a_vendor_file_that_waits_for_a_gpu_is_no_problem_without_one(tmp_path):
    (tmp_path / "10_nvidia.json").write_text('{"ICD": {"library_path": "libEGL_nvidia.so.0"}}')
    absent = raising(OSError("cannot open shared object"))
    found = only(egl.vendors(False, {}, (tmp_path,), load=absent))
    assert found.state == "ok" and "waits for an NVIDIA GPU" in found.text


def test_libgl_missing_is_noted_and_no_fault():
    found = only(egl.opengl_library(raising(OSError("libGL.so.1: cannot open"))))
    assert found.state == "note" and found.remedy == "apt-get install libgl1"
    assert egl.opengl_library(lambda name: None) == []


def test_a_device_that_fails_to_initialise_has_its_remedy():
    error = gl_egl.EGLError(
        "glrast: eglInitialize on EGL device 0 failed: EGL_NOT_INITIALIZED (0x3001)"
    )
    found = egl.devices(listing=lambda: [GPU], inspect=raising(error))
    assert "NVIDIA_DRIVER_CAPABILITIES" in found[0].remedy and "EGL_LOG_LEVEL" in found[0].remedy
    assert found[-1].state == "fault" and "libgl1-mesa-dri" in found[-1].remedy


# ---- the self-test sees what is wrong -----------------------------------------------------------


def test_the_triangle_is_right_with_both_programs():
    assert [only(triangle.draw(CPU, p)).state for p in ("id", "full")] == ["ok", "ok"]


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda rast: rast.flip(1), "covers"),
        (lambda rast: rast[..., [1, 0, 2, 3]], "barycentrics are off"),
        (lambda rast: rast * torch.tensor([1.0, 1, 0.5, 1]), "z/w is off"),
    ],
)
def test_the_triangle_notices_a_wrong_rasterization(monkeypatch, spoil, message):
    true = glrast.rasterize

    def rasterize(*args):
        rast, rast_db = true(*args)
        return spoil(rast), rast_db

    monkeypatch.setattr(glrast, "rasterize", rasterize)
    found = only(triangle.draw(CPU, "id"))
    assert found.state == "fault" and message in found.text


def test_the_triangle_notices_a_missing_edge_gradient(monkeypatch):
    monkeypatch.setattr(glrast, "antialias", lambda color, rast, pos, tri: color + 0 * pos.sum())
    found = only(triangle.draw(CPU, "id"))
    assert found.state == "fault"
    assert "the edge lies at 20.0000, not at 20.3" in found.text
    assert "the gradient of an edge of 17 pixels is 0.0000" in found.text


def test_after_a_fault_the_self_test_is_left_out_and_the_verdict_names_cause_and_remedy(
    monkeypatch, capsys
):
    monkeypatch.setattr(gl_egl, "devices", lambda: [])
    monkeypatch.setattr(triangle, "draw", raising(AssertionError("drawn")))
    assert cli.main(["doctor", "--device", "cpu"]) == 1
    *_, cause, remedy = capsys.readouterr().out.strip().splitlines()
    assert cause.startswith("Rendering does NOT work on cpu: EGL lists no device")
    assert remedy.startswith("What to do: ")


def test_a_driver_that_crashes_in_the_self_test_is_a_finding(monkeypatch):
    monkeypatch.setattr(glrast, "rasterize", raising(RuntimeError("GL_CONTEXT_LOST")))
    findings = command.examine(CPU)
    assert findings[-1].state == "fault" and "GL_CONTEXT_LOST" in findings[-1].text
