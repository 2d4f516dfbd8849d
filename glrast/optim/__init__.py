"""How fitting takes its steps: geometry that moves far without crumpling, and the optimiser made for it.

`LargeSteps` and `AdamUniform` are the two halves of Nicolet, Jacobson, Jakob 2021, "Large Steps in Inverse Rendering of
Geometry". Both need PyTorch alone; a package that factorises sparse matrices makes LargeSteps faster.
"""

from .adam_uniform import AdamUniform
from .large_steps import LargeSteps

__all__ = ["AdamUniform", "LargeSteps"]
