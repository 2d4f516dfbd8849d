"""Where kernels come from and on which stream they run: each situation is made up, what follows from it named."""

import pytest
import torch

from glrast.doctor import kernels, nvidia
from glrast.launch import cubins, cuda, source
from tests.doctor.findings import only

CUDA = torch.device("cuda", 0)


@pytest.fixture
def bring(monkeypatch, tmp_path):
    """bring(stems): the package's compiled kernels, of sm_90, are these."""
    monkeypatch.setattr(cubins, "FOLDER", tmp_path)

    def bring(stems):
        for stem in stems:
            (tmp_path / cubins.name(stem, cuda.OPTIONS, "90")).write_bytes(b"ELF")

    return bring


def test_kernels_that_come_with_the_package_are_said_to(bring):
    bring(source.stems())
    found = only(kernels.compiled(CUDA, "90"))
    assert found.state == "ok" and "sm_90 come with the package" in found.text
    assert found.facts["capability"] == "90" and kernels.compiled(torch.device("cpu")) == []


def test_a_checkout_compiles_at_the_first_use(bring):
    found = only(kernels.compiled(CUDA, "90"))
    assert found.state == "ok" and "first use" in found.text and "make wheel" in found.remedy


@pytest.mark.parametrize("capability", ["70", "103", "121"])
def test_a_gpu_that_is_not_listed_is_noted(bring, capability):
    bring(source.stems())
    found = only(kernels.compiled(CUDA, capability))
    assert found.state == "note" and f"no kernels for sm_{capability}: NVRTC" in found.text


def test_changed_kernels_are_named(bring):
    bring(set(source.stems()) - {"texture", "antialias"})
    found = only(kernels.compiled(CUDA, "90"))
    assert found.state == "note" and "compiled: antialias, texture; NVRTC" in found.text


@pytest.mark.parametrize("value, noted", [(None, False), ("0", False), ("1", True)])
def test_a_default_stream_for_each_thread_is_noted(value, noted):
    name = "CUPY_CUDA_PER_THREAD_DEFAULT_STREAM"
    found = kernels.streams({} if value is None else {name: value})
    assert bool(found) == noted
    if noted:
        assert name in only(found).text and "PyTorch's stream all the same" in found[0].text
        assert "ExternalStream" in found[0].remedy and found[0].state == "note"


@pytest.mark.parametrize(
    "loaded, refused", [("470.82.01", True), ("525.60.13", False), ("580.65.06", False), ("unknown", False)]
)  # fmt: skip
def test_a_driver_older_than_cuda_12_is_a_fault(loaded, refused):
    found = nvidia.kernels(CUDA, loaded)
    assert bool(found) == refused and nvidia.kernels(torch.device("cpu"), loaded) == []
    if refused:
        assert only(found).state == "fault" and f"driver {loaded} loads no kernels" in found[0].text
        assert "update" in found[0].remedy
