"""The fit itself: one step after the other through the stages, from a state that can be saved.

`Fit` holds everything a step depends on; `run` drives it, saves it now and then and when it is asked
to stop.
"""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import glrast

from ..bake.unwrap import Atlas
from ..losses import dirichlet_energy, total_variation
from ..optim import AdamUniform
from .bake import padded, textured
from .checkpoint import Saver, require_same
from .consensus import Consensus
from .dataset import Views
from .hull import carved, settled
from .losses import image_losses
from .model import ColoredMesh, Model, render
from .restored import require_sound
from .stages import Stage

# Weights beside the image loss, whose weight is 1.
MASK_WEIGHT = 2.0
COLOR_SMOOTHNESS_WEIGHT = 0.01
# A few percent of the pull that the pixels have on a texel: it decides only where they do not.
TEXTURE_VARIATION_WEIGHT = 0.004
# Between two saves; more where one takes long, see checkpoint.Saver.
SAVE_SECONDS = 5.0


class Stopped(Exception):
    """The run was asked to stop; its state is in the checkpoint."""


class Fit:
    """A fit at some step: `step` until `done`, then `mesh`.

    Args:
        views: what to learn from.
        stages: in order; see stages.plan.
        batch: views per step (all of them where there are fewer).
        seed: of the order of the views and of the backgrounds.
        device: where the images are drawn.
        texture_size: texels a side; None takes as many as the views are worth.
        edges: "antialias" or "exact", see model.render.
    """

    size: float  # diagonal of the hull's box: the unit of edges and moves. Set by begin or restore
    model: Model  # these three: by each stage
    pictures: Views
    doubts: list[Tensor | None]  # of each view the pixels [H,W] not to learn from, if any
    consensus: Consensus  # by begin or restore

    def __init__(
        self,
        views: Views,
        stages: list[Stage],
        batch: int,
        seed: int,
        device: torch.device,
        texture_size: int | None = None,
        edges: str = "antialias",
    ):
        self.views, self.stages, self.texture_size = views, stages, texture_size
        self.edges = edges
        # Derivatives of barycentrics serve mipmaps only.
        self.ctx = glrast.Context(device, output_db=any(stage.texture for stage in stages))
        self.device = self.ctx.device
        self.batch = min(batch, len(views))
        self.settings = {
            "data": views.fingerprint(),
            "stages": [asdict(stage) for stage in stages],
            "batch": batch,
            "seed": seed,
            "device": self.device.type,
            "texture_size": texture_size,
            "edges": edges,
        }
        self.generator = torch.Generator().manual_seed(seed)
        self.order = torch.empty(0, dtype=torch.int64)
        self.world_to_clip = views.world_to_clip.float().to(self.device)
        self.stage_index, self.step_in_stage = 0, 0
        self.losses: list[float] = []
        self.seconds = 0.0

    @property
    def stage(self) -> Stage:
        return self.stages[self.stage_index]

    @property
    def done(self) -> bool:
        last = self.stage_index >= len(self.stages) - 1
        return last and self.step_in_stage >= self.stage.steps

    def begin(self) -> None:
        """From the masks to the first stage: hull, mesh of the first edge length, mean colour."""
        started = time.perf_counter()
        self._settle()
        views = self.views
        agreed = self.consensus
        pos, tri = carved(agreed.inside, views.world_to_clip, views.names, agreed.known)
        self.size = float((pos.max(dim=0).values - pos.min(dim=0).values).norm())
        total = self.views.rgba.sum(dim=(0, 1, 2), dtype=torch.float64)
        color = (total[:3] / total[3].clamp_min(1)).float().expand(len(pos), 3)
        self._begin_stage(ColoredMesh(pos, tri, color).to(self.device))
        self.seconds += time.perf_counter() - started

    def _settle(self) -> None:
        """The vote on the masks: it follows from the views alone, so a resumed run holds it anew."""
        views = self.views
        alpha = views.rgba[..., 3].float() / 255.0
        self.consensus = settled(alpha, views.world_to_clip, views.names, views.known)

    def _begin_stage(self, mesh: ColoredMesh) -> None:
        if self.stage.edge:
            mesh = mesh.remeshed(self.stage.edge * self.size)
        if self.stage.split:
            mesh = mesh.refined(self.stage.split * self.size)
        if self.stage.texture and mesh.atlas is None:
            mesh = textured(mesh, self.views, self.texture_size)
        self._use(Model(mesh, self.stage.smoothness))

    def _use(self, model: Model) -> None:
        """What follows from the model and the stage alone, so that a resumed run makes it anew."""
        self.model = model
        self.pictures = self.views.reduced(-(-max(self.views.resolution) // self.stage.shrink))
        self.doubts = [
            self.pictures.doubted(index, self.consensus.distrusted_pixels(index, rgba[..., 3]))
            for index, rgba in enumerate(self.pictures.rgba)
        ]
        self.move = AdamUniform([model.u], lr=0.0)
        self.paint = torch.optim.Adam([model.color], lr=0.0)

    def step(self) -> float:
        """One step; returns its loss."""
        started = time.perf_counter()
        if self.step_in_stage >= self.stage.steps:
            mesh = self.model.mesh()
            self.stage_index, self.step_in_stage = self.stage_index + 1, 0
            self._begin_stage(mesh)
        fraction = self.stage.decay ** (self.step_in_stage / self.stage.steps)
        self.move.param_groups[0]["lr"] = self.stage.lr_pos * self.size * fraction
        self.paint.param_groups[0]["lr"] = self.stage.lr_color * fraction
        self.move.zero_grad()
        self.paint.zero_grad()
        loss = self._loss(self._next_views())
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RuntimeError(
                f"glrast fit: the loss of step {len(self.losses)} is {value}; this should not "
                "happen. The last checkpoint is sound: --resume repeats the way here; please report."
            )
        loss.backward()
        self.move.step()
        self.paint.step()
        self.step_in_stage += 1
        self.losses.append(value)
        self.seconds += time.perf_counter() - started
        return value

    def _loss(self, index: Tensor) -> Tensor:
        model = self.model
        mesh = ColoredMesh(model.positions(), model.tri, model.color, model.atlas)
        target = self.pictures.target(index, self.device)
        background = torch.rand(len(index), 1, 1, 3, generator=self.generator).to(self.device)
        rgba = render(
            self.ctx,
            mesh,
            self.world_to_clip[index.to(self.device)],
            self.pictures.resolution,
            model.topology_hash,
            self.edges,
        )
        trusted = self._trusted(index)
        image_loss, mask_loss = image_losses(rgba, target, background, trusted)
        if model.atlas is None:
            rough = COLOR_SMOOTHNESS_WEIGHT * dirichlet_energy(model.color, model.tri)
        else:
            rough = TEXTURE_VARIATION_WEIGHT * total_variation(model.color[None])
        return image_loss + MASK_WEIGHT * mask_loss + rough

    def _trusted(self, index: Tensor) -> Tensor | None:
        """[n,H,W,1], 1 where the pictures of the views are to be believed; None: everywhere."""
        doubts = [self.doubts[i] for i in index.tolist()]
        if all(doubt is None for doubt in doubts):
            return None
        believed = torch.ones(self.pictures.resolution)
        trusted = [believed if doubt is None else 1.0 - doubt.float() for doubt in doubts]
        return torch.stack(trusted)[..., None].to(self.device)

    def _next_views(self) -> Tensor:
        """A minibatch of view indices; every view comes once before any comes again."""
        while len(self.order) < self.batch:
            shuffled = torch.randperm(len(self.views), generator=self.generator)
            self.order = torch.cat([self.order, shuffled])
        index, self.order = self.order[: self.batch], self.order[self.batch :]
        return index

    def mesh(self) -> ColoredMesh:
        """The fitted mesh on the CPU, colours in 0..1, the gutters of a texture filled."""
        mesh = self.model.mesh()
        if mesh.atlas is not None:
            mesh = replace(mesh, color=padded(self.ctx, mesh.atlas, mesh.color))
        return replace(mesh, color=mesh.color.clamp(0.0, 1.0)).to(torch.device("cpu"))

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs; see checkpoint.py. A fit that is done has no more moments:
        without them its checkpoint, which stays, is a third of the size."""
        moments = [optimiser.state_dict() for optimiser in (self.move, self.paint)]
        if self.done:
            moments = [{**held, "state": {}} for held in moments]
        return {
            "settings": self.settings,
            "stage_index": self.stage_index,
            "step_in_stage": self.step_in_stage,
            "size": self.size,
            "tri": self.model.tri,
            "u": self.model.u.detach(),
            "color": self.model.color.detach(),
            "atlas": asdict(self.model.atlas) if self.model.atlas else None,
            "move": moments[0],
            "paint": moments[1],
            "generator": self.generator.get_state(),
            "order": self.order,
            "losses": self.losses,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any], path: Path) -> None:
        """Continues from a saved state; raises ValueError if it belongs to another run."""
        require_same(state.get("settings"), self.settings, path)
        require_sound(state, self.settings["stages"], len(self.views), path)
        for name in ("stage_index", "step_in_stage", "size", "order", "losses", "seconds"):
            setattr(self, name, state[name])
        self._settle()
        atlas = Atlas(**state["atlas"]) if state["atlas"] else None
        mesh = ColoredMesh(state["u"], state["tri"], state["color"], atlas).to(self.device)
        self._use(Model(mesh, self.stage.smoothness, u=mesh.pos))
        self.move.load_state_dict(state["move"])
        self.paint.load_state_dict(state["paint"])
        self.generator.set_state(state["generator"])


def run(
    fit: Fit,
    checkpoint: Path,
    on_step: Callable[[Fit], None],
    should_stop: Callable[[], bool],
    warn: Callable[[str], None] = warnings.warn,
) -> None:
    """Steps until the fit is done, saving now and then; `warn` is told what did not fit on the disk.

    Raises:
        Stopped: `should_stop` said so; the state has been saved.
        DiskFull: there was no room to save where it mattered, at the end or on stopping. The fit
            itself is whole.
    """
    saver = Saver(checkpoint, SAVE_SECONDS, warn)
    while not fit.done:
        fit.step()
        on_step(fit)
        stop = should_stop()
        if stop or fit.done or saver.due:
            saver.save(fit.state(), needed=stop or fit.done)
        if stop and not fit.done:
            raise Stopped
