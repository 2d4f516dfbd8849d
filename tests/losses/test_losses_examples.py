"""The examples in the docstrings run."""

import doctest
import importlib

import pytest
import torch

MODULES = (
    "losses.image", "losses.mask", "losses.mesh", "losses.ssim", "optim.adam_uniform", "optim.large_steps"
)  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    module = importlib.import_module(f"glrast.{name}")
    found = doctest.testmod(module, extraglobs={"torch": torch})
    assert found.attempted and not found.failed
