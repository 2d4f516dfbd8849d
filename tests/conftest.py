"""What any test may ask for: `--device`, the fixtures `device`, `gl`, `context` and `measured`; and what is printed at
the end: what was skipped, and what was measured."""

import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # `from tests import scenes`, however pytest is started
    sys.path.insert(0, str(ROOT))


def pytest_addoption(parser):
    parser.addoption(
        "--device", default="cpu", help="where the operations run: cpu (default), cuda, cuda:1"
    )
    parser.addoption(
        "--emulate-cuda", action="store_true",
        help="on the CPU, run the CUDA form of the kernels through the launch code of a GPU",
    )  # fmt: skip
    parser.addoption(
        "--executor", default="",
        help="with --emulate-cuda: order=random,schedule=scattered,seed=3 (tests/executor/compile_kernels.py)",
    )  # fmt: skip
    parser.addoption(
        "--fuzz", type=int, default=1500,
        help="how many hostile calls each part of tests/test_hostile.py makes",
    )  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def emulate_cuda(request):
    """--emulate-cuda; without it nothing."""
    if not request.config.getoption("--emulate-cuda"):
        yield
        return
    from tests.executor import fake_cupy

    settings = fake_cupy.Settings.of(request.config.getoption("--executor"))
    with fake_cupy.instead_of_the_host_library(pytest.MonkeyPatch, settings):
        yield


@pytest.fixture(scope="session")
def device(request):
    """The torch.device of --device; asking for a CUDA device that is not there fails, it does not skip."""
    import torch

    name = request.config.getoption("--device")
    chosen = torch.device(name)
    if chosen.type == "cuda":
        if not torch.cuda.is_available():
            raise pytest.UsageError(f"--device {name}: PyTorch finds no CUDA device")
        chosen = torch.device(
            "cuda", torch.cuda.current_device() if chosen.index is None else chosen.index
        )
    return chosen


@pytest.fixture
def gl(device):
    """The device's OpenGL side; a test that meets or leaves an OpenGL error fails."""
    from glrast.raster.self_test import tested

    opened = tested(device)
    with opened.current():
        opened.gl.check("before the test")
    yield opened
    with opened.current():
        opened.gl.check("left by the test")


@pytest.fixture(params=["id", "full"])
def context(request, device, gl):
    """A glrast.Context on the device, once per program."""
    import glrast

    return glrast.Context(device, buffers=request.param)


@pytest.fixture
def measured(record_property):
    """measured("...: 0.0123") prints that after the tests, whatever process they ran in."""
    return lambda line: record_property("measured", line)


def pytest_terminal_summary(terminalreporter):
    """Every skip is counted and gives its reason; what tests measured is shown."""
    stats = terminalreporter.stats
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section(f"{sum(reasons.values())} skipped")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:4}  {reason}")
    reports = [*stats.get("passed", []), *stats.get("failed", [])]
    lines = [
        line for report in reports for name, line in report.user_properties if name == "measured"
    ]
    if lines:
        terminalreporter.section("measured")
    for line in sorted(lines):
        terminalreporter.line(line)
