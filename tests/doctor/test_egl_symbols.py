"""What the doctor says of symbols that Mesa's driver shares with the process."""

from pathlib import Path

from glrast.doctor import egl
from tests.doctor.findings import only

LLVM = "/usr/lib/x86_64-linux-gnu/libLLVM-15.so.1"


def test_a_driver_whose_llvm_is_global_is_noted_with_what_it_kills():
    library = Path("/p/triton/_C/libtriton.so")
    found = only(egl.symbols(LLVM, library))
    assert found.state == "note" and found.facts["global_llvm"] == LLVM
    assert f"{LLVM} is among the global symbols" in found.text and str(library) in found.text
    assert "import triton" in found.remedy
    assert "Triton does" in only(egl.symbols(LLVM, None)).text


def test_a_driver_that_is_local_is_not_mentioned():
    assert egl.symbols(None, Path("/p/triton/_C/libtriton.so")) == []


def test_the_symbols_of_this_process_are_looked_at(monkeypatch):
    monkeypatch.setattr(egl.scope, "global_llvm", lambda: LLVM)
    assert only(egl.global_symbols()).facts["global_llvm"] == LLVM
