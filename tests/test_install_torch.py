"""tools/install-torch.sh: which PyTorch `make` installs on which machine, and that it says so in one line. pip is a
script that writes down what it was asked for, and the machine is made of files."""

import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "tools" / "install-torch.sh"
UNREACHABLE = "http://127.0.0.1:9/cpu"  # the discard port, where nobody listens

PYTHON = """#!/bin/sh
case "$*" in
    "-m pip install -q "*) shift 4; echo "$@" >> {folder}/asked ;;
    *importlib.metadata*) [ -e {folder}/has-torch ] && echo torch==2.14.1+cu130 ;;
    *) exec {python} -I -S "$@" ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """A Linux machine with a pip, and without a driver or PyTorch."""
    for folder in ("bin", "root"):
        (tmp_path / folder).mkdir()
    program(tmp_path, "python", PYTHON.format(folder=tmp_path, python=sys.executable))
    program(tmp_path, "nvidia-smi", "#!/bin/sh\nexit 9\n")
    program(tmp_path, "ldconfig", "#!/bin/sh\necho 'libc.so.6 => /lib/libc.so.6'\n")
    program(tmp_path, "uname", "#!/bin/sh\necho Linux\n")
    return tmp_path


@pytest.fixture(scope="module")
def index():
    """The address of an index of packages that has torch."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/cpu/torch/" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/cpu"
        server.shutdown()
        thread.join()


def test_what_was_asked_for_is_installed_without_a_word(machine):
    assert install(machine, "torch==2.13.0", "") == ("torch==2.13.0", "")
    assert install(machine, "", "http://x/y") == ("--index-url http://x/y torch", "")
    asked = "--index-url http://x/y torch==2.13.0"
    assert install(machine, "torch==2.13.0", "http://x/y") == (asked, "")


def test_a_pytorch_that_is_there_stays(machine):
    (machine / "has-torch").touch()
    assert install(machine) == ("", "")
    assert install(machine, "torch==2.13.0") == ("torch==2.13.0", "")  # unless another is asked for


def test_the_requirement_that_keeps_the_installed_one_is_printed(machine):
    assert start(machine, "--installed").returncode != 0
    (machine / "has-torch").touch()
    assert install(machine, "--installed") == ("", "torch==2.14.1+cu130")
    made = (SCRIPT.parent.parent / "Makefile").read_text()
    assert """-e '.[fit,test]' "$$(sh tools/install-torch.sh $(BIN)/python --installed)\"""" in made


def test_no_extra_contradicts_the_default_wheel_of_pytorch():
    """torch 2.14.1 asks for cuda-bindings of CUDA 13: when the tests asked for < 13, pip took a CPU build instead."""
    text = (SCRIPT.parent.parent / "pyproject.toml").read_text()
    (asked,) = re.findall(r'^  "cuda-bindings([^;"]*)[;"]', text, re.MULTILINE)  # of the tests
    assert "<" not in asked and "==" not in asked and ">=12.9.4" in asked
    assert 'cuda = ["glrast[cuda13]"]' in text


@pytest.mark.parametrize("cuda", [12, 13])
def test_the_extra_of_a_cuda_version_takes_nothing_of_another(cuda):
    """cuda-bindings 13 brings CUDA's runtime 13, which a driver before 580 refuses: error 35."""
    text = (SCRIPT.parent.parent / "pyproject.toml").read_text()
    (asked,) = re.findall(rf"^cuda{cuda} = \[(.*?)\]", text, re.MULTILINE)
    cupy, bindings = re.findall(r'"([^"]+)"', asked)
    assert cupy == f"cupy-cuda{cuda}x>=14"
    assert bindings.startswith(f"cuda-bindings>={cuda}.") and bindings.endswith(f",<{cuda + 1}")


def test_without_a_driver_the_cpu_build_is_taken_and_the_line_says_so(machine, index):
    asked, said = install(machine, index=index)
    assert asked == f"--index-url {index} torch"
    assert one_line(said) and "no NVIDIA driver" in said and f"CPU build from {index}" in said
    assert "TORCH=" in said and "TORCH_INDEX=" in said


@pytest.mark.parametrize("path", ["", "/nothing-here"])
def test_an_index_out_of_reach_falls_back_to_the_default_build_and_says_so(machine, index, path):
    address = index + path if path else UNREACHABLE
    asked, said = install(machine, index=address)
    assert asked == "torch"
    assert one_line(said) and f"{address} cannot be reached" in said and "may bring CUDA" in said
    assert "TORCH=" in said and "TORCH_INDEX=" in said


@pytest.mark.parametrize("sign", ["nvidia-smi", "ldconfig", "proc", "wsl"])
def test_with_a_driver_the_default_build_is_taken_whatever_tells_of_it(machine, index, sign):
    if sign == "nvidia-smi":
        program(machine, "nvidia-smi", "#!/bin/sh\necho 'GPU 0: NVIDIA L4'\n")
    elif sign == "ldconfig":
        program(machine, "ldconfig", "#!/bin/sh\necho 'libcuda.so.1 => /usr/lib/libcuda.so.1'\n")
    else:
        paths = {"proc": "proc/driver/nvidia/version", "wsl": "usr/lib/wsl/lib/libcuda.so.1"}
        file = machine / "root" / paths[sign]
        file.parent.mkdir(parents=True)
        file.touch()
    asked, said = install(machine, index=index)
    assert asked == "torch"
    assert one_line(said) and "there is an NVIDIA driver" in said and "TORCH_INDEX=" in said


def test_the_library_of_the_toolkit_is_no_driver(machine, index):
    program(machine, "ldconfig", "#!/bin/sh\necho 'libcudart.so.13 => /usr/local/cuda/libcudart.so.13'\n")  # fmt: skip
    assert install(machine, index=index)[0] == f"--index-url {index} torch"


def test_elsewhere_than_on_linux_the_default_build_is_the_cpu_build(machine, index):
    program(machine, "uname", "#!/bin/sh\necho Darwin\n")
    assert install(machine, index=index) == ("torch", "")


def test_a_pip_that_fails_fails_the_set_up(machine):
    program(machine, "python", "#!/bin/sh\nexit 3\n")
    assert start(machine, "torch==2.13.0").returncode == 3


def program(machine, name, text):
    file = machine / "bin" / name
    file.write_text(text)
    file.chmod(0o755)


def start(machine, *words, index=UNREACHABLE):
    environment = {
        "PATH": f"{machine}/bin:{os.environ['PATH']}",
        "GLRAST_ROOT": f"{machine}/root",
        "TORCH_CPU_INDEX": index,
    }
    command = ["sh", str(SCRIPT), "python", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)


def install(machine, *words, index=UNREACHABLE):
    """(what pip was asked for, what was said)."""
    (machine / "asked").write_text("")
    done = start(machine, *words, index=index)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return (machine / "asked").read_text().strip(), done.stdout.strip()


def one_line(said):
    return said.startswith("PyTorch: ") and len(said.splitlines()) == 1
