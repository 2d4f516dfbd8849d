"""docs/losses.md tells the truth: its tables name what there is, and nothing needs the fit extra. (That its example
fits, as it says, tests/test_docs.py finds.)"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from glrast import losses, optim

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "losses.md").read_text()


def test_the_tables_name_every_loss_and_optimiser_and_no_others():
    named = set(re.findall(r"`(\w+)(?:\([^`]*)?`", PAGE))
    assert set(losses.__all__) | set(optim.__all__) <= named
    table = PAGE[PAGE.index("| of | loss |") : PAGE.index("**mask=**")]
    assert set(re.findall(r"`(\w+)(?:\([^`]*)?`", table)) == set(losses.__all__)


@pytest.mark.slow
def test_pytorch_is_all_that_is_needed():
    """In a Python that finds none of the fit extra: a step with LargeSteps, AdamUniform and every loss."""
    script = """
import sys
for name in ("scipy", "cholespy", "skimage", "xatlas", "imageio", "PIL", "matplotlib", "rich", "moderngl", "cupy"):
    sys.modules[name] = None
import torch
from glrast import clip, losses, optim
pos, tri = clip.icosphere(1)
system = optim.LargeSteps(tri, len(pos))
u = system.to_differential(pos).requires_grad_()
x = system.from_differential(u)
loss = sum(getattr(losses, n)(x, tri) for n in losses.__all__ if n.startswith("mesh") or n == "dirichlet_energy")
image = x.reshape(1, 1, -1, 3).expand(1, 12, -1, 3)
for n in ("l1_loss", "l2_loss", "huber_loss", "charbonnier_loss", "dssim_loss"):
    loss = loss + getattr(losses, n)(image, torch.ones_like(image))
loss = loss + losses.total_variation(image) + losses.mask_loss(image[..., 0], torch.ones_like(image[..., 0]))
loss.backward()
optim.AdamUniform([u], lr=0.1).step()
print(system.solver, bool(torch.isfinite(u).all()), len(sys.modules["scipy"] or ""))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "cg True 0\n", done.stderr
