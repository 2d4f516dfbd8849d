"""Every kernel file and every header compiles by itself, in the host's form and in CUDA's (tests/executor/words.h)."""

import subprocess

import pytest

from glrast.launch import source
from tests.executor import compile_kernels

KERNELS = source.folder("kernels")
FILES = sorted(path.relative_to(KERNELS).as_posix() for path in KERNELS.rglob("*.cu*"))
# Of two that say the same each is for one compiler.
ONE_FORM = {"device.cuh": "cuda", "lanes_one.cuh": "cuda", "lanes_many.cuh": "host"}
CASES = [(f, form) for f in FILES for form in ("host", "cuda") if ONE_FORM.get(f, form) == form]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not compile_kernels.COMPILER, reason="no C++ compiler here"),
]


def test_the_headers_of_one_form_are_there():
    assert set(ONE_FORM) <= set(FILES) and len(FILES) > 30


@pytest.mark.parametrize("file, form", CASES)
def test_it_compiles_by_itself(file, form):
    found = compiled(f'#include "{file}"\n', form)
    assert not found, found


def test_what_is_not_declared_does_not_compile():
    assert "not_declared" in compiled('#include "common.cuh"\nint a = not_declared;\n', "host")


def compiled(text: str, form: str) -> str:
    """What the compiler says of it: nothing where all is well."""
    options = (
        ["-include", compile_kernels.HERE / "words.h"] if form == "cuda" else ["-Wall", "-Wextra"]
    )
    quiet = ["-Wno-unused-function", "-Wno-psabi"]
    command = [
        compile_kernels.COMPILER,
        "-std=c++17",
        "-fsyntax-only",
        f"-I{KERNELS}",
        *options,
        *quiet,
    ]
    done = subprocess.run(
        [*command, "-xc++", "-"], input=text, capture_output=True, text=True, timeout=120
    )
    return done.stderr
