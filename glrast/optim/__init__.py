"""How fitting takes its steps: geometry that moves far without crumpling, and the optimiser made for it.

`LargeSteps` and `AdamUniform` are the two halves of Nicolet, Jacobson, Jakob 2021, "Large Steps in Inverse Rendering of
Geometry". Both need PyTorch alone; a package that factorises sparse matrices makes LargeSteps faster. Where geometry
stands still, `solve` has colours and textures in closed form.
"""

from .adam_uniform import AdamUniform
from .large_steps import LargeSteps
from .solve import (
    TextureMatrix,
    TextureNormal,
    interpolation_matrix,
    interpolation_normal,
    solve_colours,
    solve_texture,
    texture_matrix,
    texture_normal,
)

__all__ = [
    "AdamUniform",
    "LargeSteps",
    "TextureMatrix",
    "TextureNormal",
    "interpolation_matrix",
    "interpolation_normal",
    "solve_colours",
    "solve_texture",
    "texture_matrix",
    "texture_normal",
]
