"""The order of work: coarse to fine in image and mesh, as a list that reads like one.

`plan` deals the steps of a run out to the stages. Another kind of stage is another line here and a
case where loop.py begins a stage.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stretch of the fit over a fixed mesh connectivity.

    Args:
        name: shown in the progress bar.
        steps: optimisation steps.
        shrink: the images' sides are divided by this.
        edge: edge length of the mesh that the stage begins with, relative to the object's size
            (the diagonal of its box); 0 takes the mesh as it is.
        split: edges longer than this (same unit) are split where the colour changes; 0: none.
        smoothness: lambda of Nicolet et al. 2021; a step spreads over about sqrt(lambda) edges.
        lr_pos: longest move of a vertex per step, relative to the object's size.
        lr_color: longest change of a colour per step.
        decay: the step lengths fall geometrically to this fraction over the stage.
    """

    name: str
    steps: int
    shrink: int
    edge: float
    split: float
    smoothness: float
    lr_pos: float
    lr_color: float
    decay: float


# share of the steps, then the fields of Stage after `steps`. Half a step length more or less, and
# a lambda from 2 to 20, change the result little; short steps are what costs most (3 dB for 1/8).
_PLAN = [
    ("coarse", 0.25, 4, 0.0200, 0.0, 5.0, 1.6e-2, 2e-2, 0.3),
    ("middle", 0.30, 2, 0.0110, 0.0, 5.0, 6e-3, 2e-2, 0.3),
    ("fine", 0.25, 1, 0.0080, 0.0030, 5.0, 2e-3, 2e-2, 0.3),
    ("crisp", 0.20, 1, 0.0, 0.0025, 5.0, 6e-4, 2e-2, 0.1),
]


def plan(steps: int) -> list[Stage]:
    """The stages of a run of `steps` steps in all; one that gets no step is left out."""
    stages, done, share_done = [], 0, 0.0
    for name, share, *fields in _PLAN:
        share_done += share
        # Rounding the running sum, so that the parts add up to `steps` exactly.
        until = round(steps * min(share_done, 1.0))
        if until > done:
            stages.append(Stage(name, until - done, *fields))
        done = until
    return stages
