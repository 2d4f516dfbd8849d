"""source: the kernel text with its includes, and the argument structs it declares."""

import ctypes
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch

from glrast.launch import cpu, launch, source

STEMS = sorted(source.stems())
STUB = """
#include "%s"
void host::parallel(int64_t count, int, const std::function<void(int64_t)>& task) {
    for (int64_t i = 0; i < count; ++i) task(i);
}
""" % (source.folder("kernels") / "host.h")
KERNELS = [(stem, kernel) for stem in STEMS for kernel in source.kernels(stem)]


def test_every_kernel_macro_is_found_with_its_struct():
    for stem in STEMS:
        text = source.text(stem)
        assert len(source.kernels(stem)) == len(re.findall(r"^GLRAST_\w+\(", text, re.M)) > 0
        for kernel, arguments in source.kernels(stem).items():
            assert kernel.startswith(f"{stem}_") and arguments.fields[:3] == ("width", "H", "rows")


@pytest.mark.parametrize("stem, kernel", KERNELS)
def test_a_struct_is_as_large_as_the_host_compiler_made_it(stem, kernel):
    size = getattr(cpu.host_library(), f"{kernel}_sizeof")
    size.restype = ctypes.c_int64
    arguments = source.kernels(stem)[kernel]
    assert size() == arguments.format.size == arguments.dtype.itemsize


@pytest.mark.parametrize("stem, kernel", KERNELS)
def test_the_packed_bytes_and_the_numpy_dtype_put_every_member_in_the_same_place(stem, kernel):
    arguments = source.kernels(stem)[kernel]
    wanted = {name: 3 + i for i, name in enumerate(arguments.fields)}
    values = {
        name: Address(n) if arguments.dtype[name] == "u8" else n for name, n in wanted.items()
    }
    for i, _ in arguments.arrays:
        name = arguments.fields[i]
        wanted[name] = [7 + n for n in range(*arguments.dtype[name].shape)]
        values[name] = np.array(wanted[name], arguments.dtype[name].base).tobytes()
    record = np.frombuffer(arguments.pack(values), dtype=arguments.dtype)[0]
    assert {name: record[name].tolist() for name in arguments.fields} == wanted


@pytest.mark.slow
def test_every_member_lies_where_the_compiler_puts_it(tmp_path):
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        pytest.skip("no C++ compiler here")
    lines = ["#include <cstddef>", "#include <cstdio>"]
    lines += [f'#include "{path}"' for path in source.stems().values()]
    # offsetof needs the struct's name, which the macro's second argument tells
    wanted = []
    lines.append("int main() {")
    for stem in STEMS:
        text = source.text(stem)
        for _, kernel, struct in re.findall(source.KERNEL, text, re.M):
            dtype = source.kernels(stem)[kernel].dtype
            for name in dtype.names:
                lines.append(f'std::printf("%zu\\n", offsetof({struct}, {name}));')
                wanted.append(dtype.fields[name][1])
    lines.append("}")
    (tmp_path / "offsets.cpp").write_text("\n".join(lines))
    (tmp_path / "stub.cpp").write_text(STUB)
    program = tmp_path / "offsets"
    subprocess.run(
        [
            compiler,
            "-std=c++17",
            "-w",
            f"-I{source.folder('kernels')}",
            tmp_path / "offsets.cpp",
            tmp_path / "stub.cpp",
            "-o",
            program,
        ],
        check=True,
    )
    found = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    assert [int(offset) for offset in found] == wanted


def test_members_that_structs_share_are_read_where_their_macro_stands(monkeypatch):
    text = """
#define SOME_MEMBERS const float* a; int64 b;
#define MORE_MEMBERS   \\
    int c; int d;      \\
    float* e;
struct OneArgs {
    int width;     // int not_this;
    SOME_MEMBERS   // of all
    double last;
};
struct OtherArgs {
    static constexpr int work = 64;
    MORE_MEMBERS
    SOME_MEMBERS
};
GLRAST_KERNEL(one, OneArgs)
GLRAST_SCATTER(other, OtherArgs)
"""
    monkeypatch.setattr(source, "text", lambda stem: text)
    found = source.kernels.__wrapped__("any")
    assert found["one"].fields == ("width", "a", "b", "last")
    assert found["other"].fields == ("c", "d", "e", "a", "b")
    assert [found["one"].fields[i] for i, _ in found["one"].pointers] == ["a"]


def test_an_array_travels_by_value_and_its_length_is_a_macros():
    body = (
        "    int width;\n    int64 levels[GLRAST_MANY];  // so many\n    float c;\n    int diff[3];"
    )
    arguments = source._arguments(body, {"GLRAST_MANY": "4"})
    given = dict(
        width=1, levels=source.by_value("int64", 4, (5, 2**40)), c=0.5,
        diff=source.by_value("int", 3, (7, 8, 9)),
    )  # fmt: skip
    record = np.frombuffer(arguments.pack(given), dtype=arguments.dtype)[0]
    assert record["levels"].tolist() == [5, 2**40, 0, 0] and record["diff"].tolist() == [7, 8, 9]
    assert record["c"] == 0.5 and arguments.format.size == arguments.dtype.itemsize == 56
    with pytest.raises(
        RuntimeError, match=r"a kernel: 'diff' must be 12 bytes \(by_value\); got 3"
    ):
        arguments.pack({**given, "diff": 3})
    with pytest.raises(RuntimeError, match="'levels' must be 32 bytes"):
        arguments.pack({**given, "levels": given["diff"]})
    with pytest.raises(ValueError, match="4 numbers do not fit an array of 3"):
        source.by_value("int", 3, (1, 2, 3, 4))


def test_tensors_become_addresses_and_none_a_null_pointer():
    arguments = source._arguments(
        "    int width;\n    int64 rows;\n    const float* a;  // [N]\n    char* b;\n    float c;"
    )
    assert arguments.fields == ("width", "rows", "a", "b", "c")
    tensor = torch.zeros(3)
    record = np.frombuffer(
        arguments.pack(dict(width=1, rows=2**40, a=tensor, b=None, c=0.5)), dtype=arguments.dtype
    )[0]
    assert (
        record["rows"] == 2**40
        and record["a"] == tensor.data_ptr()
        and record["b"] == 0
        and record["c"] == 0.5
    )


# ---- what is given is what the kernel declares -------------------------------------------------------------


def transform_members():
    """Right arguments of a kernel, and their struct."""
    points, matrix, out = torch.rand(5, 3), torch.eye(4), torch.empty(1, 5, 4)
    given = dict(
        width=5, H=1, rows=1, matrix=matrix, matrix_stride=0, points=points, points_stride=0, out=out
    )  # fmt: skip
    return source.kernels("transform")["transform_points"], given


SAID = r"glrast: transform_points \(kernels/transform.cu\): "


def test_right_arguments_are_packed():
    layout, given = transform_members()
    assert len(layout.pack(given, source.CPU)) == layout.format.size
    assert layout.pack({**given, "points": None}, source.CPU)  # a null pointer


def test_a_missing_or_unknown_argument_is_an_error():
    layout, given = transform_members()
    less = {name: value for name, value in given.items() if name != "rows"}
    with pytest.raises(TypeError, match=SAID + "its argument struct misses 'rows'; it has"):
        layout.pack(less, source.CPU)
    with pytest.raises(TypeError, match=SAID + "its argument struct does not know 'lines'; it has"):
        layout.pack({**given, "lines": 1}, source.CPU)
    with pytest.raises(TypeError, match="misses 'rows' and does not know 'lines'"):
        layout.pack({**less, "lines": 1}, source.CPU)


@pytest.mark.parametrize(
    "name, wrong, said",
    [
        ("points", torch.rand(5, 3).double(), "of torch.float32; got torch.float64"),
        ("points", torch.ones(5, 3, dtype=torch.int32), "of torch.float32; got torch.int32"),
        ("points", torch.rand(3, 5).T, r"contiguous; got strides \[1, 5\] for \[5, 3\]"),
        ("matrix", 3, "a tensor or None; got 3"),
        ("out", torch.empty(1, 5, 4, device="meta"), "a tensor with memory; got a Tensor without"),
        ("rows", 1.5, "a number of int64; got 1.5"),
        ("rows", None, "a number of int64; got None"),
        ("H", "1", "a number of int32; got '1'"),
    ],
)
def test_what_a_kernel_would_misread_is_refused_by_kernel_and_member(name, wrong, said):
    layout, given = transform_members()
    with pytest.raises(RuntimeError, match=f"{SAID}'{name}' must be {said}"):
        layout.pack({**given, name: wrong}, source.CPU)


def test_a_tensor_on_another_device_is_refused():
    layout, given = transform_members()
    with pytest.raises(RuntimeError, match=SAID + "'matrix' must be on cuda:1; got cpu"):
        layout.pack(given, 1)


def test_the_launch_itself_refuses_what_a_kernel_would_misread():
    _, given = transform_members()
    given["points"] = given["points"].double()
    with pytest.raises(RuntimeError, match=SAID + "'points' must be of torch.float32"):
        launch("transform", "transform_points", torch.device("cpu"), **given)


@pytest.mark.parametrize("stem", STEMS)
def test_line_directives_name_the_real_file_and_line(stem):
    """What the compiler will say about any line of the pasted text is where that line stands."""
    files = {
        p.relative_to(source.folder("kernels")).as_posix(): p.read_text().splitlines()
        for p in source.folder("kernels").rglob("*.cu*")
        if p.suffix in (".cu", ".cuh")
    }
    seen, name, number = set(), None, 0
    for line in source.text(stem).split("\n"):
        directive = re.fullmatch(r'#line (\d+) "kernels/(.+)"', line)
        if directive:
            number, name = int(directive[1]), directive[2]
            continue
        original = files[name][number - 1]
        left_out = original.startswith(("#pragma once", "#include"))  # once is enough
        assert line == original or (line == "" and left_out)
        seen.add((name, number))
        number += 1
    included = {file for file, _ in seen}
    assert source.stems()[stem] in included and "common.cuh" in included
    for file in included:  # every line arrived, includes aside
        missing = [n for n in range(1, len(files[file]) + 1) if (file, n) not in seen]
        assert all(re.match(r'#include ".*\.cuh"', files[file][n - 1]) for n in missing)


def test_a_header_that_is_included_twice_is_pasted_once(monkeypatch, tmp_path):
    (tmp_path / "op.cu").write_text('#include "a.cuh"\n#include "b.cuh"\nlast')
    (tmp_path / "a.cuh").write_text("#pragma once\nin a")
    (tmp_path / "b.cuh").write_text('#pragma once\n#include "a.cuh"\nin b')
    monkeypatch.setattr(source, "folder", lambda name: tmp_path)
    text = source._paste("op.cu", set()).split("\n")
    assert [line for line in text if line and not line.startswith("#line")] == [
        "in a",
        "in b",
        "last",
    ]
    assert text[-2:] == ['#line 3 "kernels/op.cu"', "last"]


def test_a_missing_folder_says_that_the_installation_is_incomplete():
    with pytest.raises(
        RuntimeError,
        match="glrast: the folder spells/ is neither in .* nor beside it; .*reinstall glrast",
    ):
        source.folder("spells")


class Address:
    """What pack takes for a pointer."""

    def __init__(self, at):
        self.at = at

    def data_ptr(self):
        return self.at
