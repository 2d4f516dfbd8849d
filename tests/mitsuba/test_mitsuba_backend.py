"""Without Mitsuba, without an LLVM that it can use, or in another variant: refused by name, never an abort."""

import importlib.util
import sys
from types import SimpleNamespace

import pytest
import torch

import glrast
from glrast.doctor import mitsuba as doctor
from glrast.mitsuba import backend
from tests.doctor.findings import only

CPU = torch.device("cpu")


def fine(device):
    return ""


def test_without_mitsuba_render_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    surface = glrast.mitsuba.Surface(*glrast.clip.icosphere(0))
    camera = glrast.clip.perspective(1.0, 1.0, 0.1, 10.0), glrast.clip.look_at((0, 0, 3), (0, 0, 0))
    with pytest.raises(RuntimeError) as told:
        glrast.mitsuba.render(surface, *camera, (4, 4))
    expected = "glrast.mitsuba.render: Mitsuba is not installed: pip install 'glrast[mitsuba]'"
    assert str(told.value) == expected
    assert glrast.mitsuba.missing() == expected.partition(": ")[2]


def test_a_device_without_a_variant_is_named():
    assert "no variant for meta tensors" in glrast.mitsuba.missing("meta")


def test_an_llvm_that_would_abort_is_refused_with_its_version_and_a_package():
    told = backend.llvm_fault((16, 0, 6), "x86_64")
    assert "LLVM 16.0.6" in told and "17 or newer" in told
    assert "apt-get install libllvm19" in told and "DRJIT_LIBLLVM_PATH" in told
    assert backend.llvm_fault((17, 0, 1), "x86_64") == ""
    assert backend.llvm_fault((15, 0, 6), "aarch64") == ""  # which has the instructions
    assert "finds no LLVM" in backend.llvm_fault(None)


def test_no_llvm_at_all_is_no_version():
    backends = SimpleNamespace(LLVM=1)
    drjit = SimpleNamespace(JitBackend=backends, has_backend=lambda kind: 0)
    assert backend.llvm_version(drjit) is None


def test_another_variant_is_not_changed_under_its_user(monkeypatch):
    other = SimpleNamespace(variant=lambda: "scalar_rgb")
    monkeypatch.setitem(sys.modules, "mitsuba", other)
    with pytest.raises(RuntimeError, match=r"must be llvm_ad_rgb for cpu tensors; got scalar_rgb"):
        backend.load("mitsuba.render", CPU, fine)


def test_an_unset_variant_is_set_once(monkeypatch):
    set_to = []
    fresh = SimpleNamespace(variant=lambda: None, set_variant=set_to.append)
    monkeypatch.setitem(sys.modules, "mitsuba", fresh)
    assert backend.load("mitsuba.render", CPU, fine) is fresh
    assert set_to == ["llvm_ad_rgb"]


def test_a_mitsuba_that_does_not_import_is_an_error_of_ours(monkeypatch):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(RuntimeError, match=r"render: Mitsuba does not import .*--upgrade"):
        backend.load("mitsuba.render", CPU, fine)


def test_doctor_names_mitsuba_and_the_llvm_that_it_lacks():
    found = only(
        doctor.path_tracer(CPU, lambda: "3.9.1", lambda d: backend.llvm_fault((15, 0, 6), "x86_64"))
    )
    assert (
        found.state == "note" and found.text.startswith("3.9.1: ") and "LLVM 15.0.6" in found.text
    )
    assert "libllvm19" in found.remedy
    absent = only(doctor.path_tracer(CPU, lambda: None))
    assert absent.state == "ok" and "not installed" in absent.text
