"""NVIDIA's driver: each situation is made up, and its cause and remedy must be named."""

import os

import pytest
import torch

from glrast.doctor import nvidia
from tests.doctor.findings import only

CUDA = torch.device("cuda", 0)


def absent(name):
    raise OSError(f"{name}: cannot open shared object file")


def test_the_kernel_drivers_version_is_read(tmp_path):
    version = tmp_path / "version"
    assert nvidia.driver(version) is None
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19")
    assert nvidia.driver(version) == "535.129.03"
    version.write_text("NVRM version: a number nobody expected")
    assert nvidia.driver(version) == "unknown"


@pytest.mark.parametrize(
    "name, visible, mig",
    [("NVIDIA H100 MIG 1g.10gb", "", True), ("NVIDIA H100", "MIG-5c1b", True), ("NVIDIA H100", "0", False)],
)  # fmt: skip
def test_a_mig_slice_is_noted(monkeypatch, name, visible, mig):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    found = only(nvidia.cuda_device(CUDA, {"CUDA_VISIBLE_DEVICES": visible}))
    assert (found.state == "note") == mig and ("has no OpenGL" in found.text) == mig
    assert ("whole GPU" in found.remedy) == mig


def test_a_container_without_graphics_is_noted():
    environ = {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
    found = only(nvidia.container(True, environ))
    assert found.state == "note" and "graphics" in found.remedy
    assert nvidia.container(False, environ) == []
    assert nvidia.container(True, {"NVIDIA_DRIVER_CAPABILITIES": "all"}) == []
    assert nvidia.container(True, {"NVIDIA_DRIVER_CAPABILITIES": "compute,graphics"}) == []
    assert nvidia.container(True, {}) == []


def test_a_driver_for_computing_alone_is_told_which_package_it_lacks():
    found = only(nvidia.egl_library(True, "535.129.03", absent))
    assert found.state == "note" and "CUDA works" in found.text
    assert "libnvidia-gl-535" in found.remedy and "graphics" in found.remedy
    assert "libnvidia-gl-<driver version>" in only(nvidia.egl_library(True, None, absent)).remedy
    assert nvidia.egl_library(True, "535.129.03", lambda name: None) == []
    assert nvidia.egl_library(False, None, absent) == []


def test_libraries_newer_than_the_loaded_driver_are_noted(tmp_path):
    (tmp_path / "libEGL_nvidia.so.0").touch()
    (tmp_path / "libEGL_nvidia.so.550.54.14").touch()
    (tmp_path / "libnvidia-glcore.so.550.54.14").touch()
    found = only(nvidia.mismatch("535.129.03", [tmp_path]))
    assert "driver is 535.129.03, its libraries are 550.54.14" in found.text
    assert "restart" in found.remedy
    assert nvidia.mismatch("550.54.14", [tmp_path]) == []
    assert nvidia.mismatch("535.129.03", [tmp_path / "none"]) == []
    assert nvidia.mismatch(None, [tmp_path]) == [] == nvidia.mismatch("unknown", [tmp_path])


@pytest.mark.parametrize("others, noted", [(6, False), (7, True)])
def test_many_processes_on_the_gpu_are_noted(tmp_path, others, noted):
    for pid in [os.getpid(), *range(10**7, 10**7 + others)]:
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "maps").write_text("7f00 r-xp /usr/lib/libnvidia-eglcore.so.550\n")
    (tmp_path / "9").mkdir()
    (tmp_path / "9" / "maps").write_text("7f00 r-xp /usr/lib/libc.so.6\n")
    (tmp_path / "10" / "maps").mkdir(parents=True)  # cannot be read
    found = nvidia.processes(True, tmp_path)
    assert bool(found) == noted and nvidia.processes(False, tmp_path) == []
    if noted:
        assert only(found).facts["processes"] == list(range(10**7, 10**7 + others))
        assert "fewer" in found[0].remedy


@pytest.mark.parametrize(
    "version, bad",
    [("12.9.3", True), ("12.9.4", False), ("13.0.0", True), ("13.0.2", True), ("13.0.3", False), ("13.1.0", False)],
)  # fmt: skip
def test_cuda_bindings_that_give_null_handles_are_named(version, bad):
    found = nvidia.bindings(version, "unknown")
    assert bool(found) == bad
    if bad:
        assert f"cuda-bindings {version} gives null handles" in only(found).text
        assert "pip install 'cuda-bindings>=12.9.4" in found[0].remedy


@pytest.mark.parametrize(
    "version, loaded, refused",
    [("13.5.0", "575.57.08", True), ("13.0.3", "550.54", True), ("13.5.0", "580.65.06", False),
     ("12.9.4", "535.129.03", False), ("13.5.0", "unknown", False)],
)  # fmt: skip
def test_a_driver_that_refuses_the_cuda_of_cuda_bindings_is_named(version, loaded, refused):
    found = nvidia.bindings(version, loaded)
    assert bool(found) == refused
    if refused:
        assert f"{version} brings CUDA 13" in only(found).text and "35" in found[0].text
        assert f"driver {loaded} refuses" in found[0].text
        assert "pip install 'cuda-bindings>=12.9.4,<13'" in found[0].remedy
