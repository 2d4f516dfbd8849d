"""The order of work: coarse to fine in image and mesh, as a list that reads like one.

`plan` deals the steps of a run out to the stages. Another kind of stage is another line here and a
case where loop.py begins a stage.
"""

from dataclasses import dataclass, replace


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
        texture: the colours are texels of an atlas, not the vertices'; once so, it stays.
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
    texture: bool = False


# Each with its share of the steps. Steps too short are what costs most (3 dB at an eighth of
# these). A smaller lambda lets vertices slide to the borders of colour, which sharpens the image
# and folds triangles: with 5 throughout, 0.4 dB more and twelve folds on a cow of 53 000 triangles.
_COARSE = [
    (0.25, Stage("coarse", 0, 4, 0.0200, 0.0, 5.0, lr_pos=1.6e-2, lr_color=2e-2, decay=0.3)),
    (0.30, Stage("middle", 0, 2, 0.0110, 0.0, 5.0, lr_pos=6e-3, lr_color=2e-2, decay=0.3)),
]
_PLANS = {
    "vertex": [
        *_COARSE,
        (0.25, Stage("fine", 0, 1, 0.0080, 0.0030, 10.0, lr_pos=2e-3, lr_color=2e-2, decay=0.3)),
        (0.20, Stage("crisp", 0, 1, 0.0, 0.0025, 20.0, lr_pos=6e-4, lr_color=2e-2, decay=0.1)),
    ],
    "texture": [
        *_COARSE,
        (0.15, Stage("fine", 0, 1, 0.0080, 0.0, 10.0, lr_pos=2e-3, lr_color=2e-2, decay=0.5)),
        (0.30, Stage("texture", 0, 1, 0.0, 0.0, 10.0, 1e-3, 2e-2, decay=0.05, texture=True)),
    ],
}


def plan(steps: int, colour: str = "texture") -> list[Stage]:
    """The stages of a run of `steps` steps in all; one that gets no step is left out.

    The last one always gets a step, so that the result has the colours asked for.
    """
    stages, done, share_done = [], 0, 0.0
    for share, stage in _PLANS[colour]:
        share_done += share
        # Cutting off the running sum, so that the parts add up to `steps` exactly; the sum of the
        # shares may be a bit below the whole number that it means.
        until = int(steps * share_done + 1e-6)
        if until > done:
            stages.append(replace(stage, steps=until - done))
        done = until
    return stages
