"""N pictures and the cameras that took them, in memory."""

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .images import reduced, wholly


@dataclass(frozen=True)
class Views:
    """N pictures and the cameras that took them.

    rgba is uint8 [N,H,W,4] on the CPU, row 0 at the bottom, colour premultiplied by alpha;
    world_to_camera and projection are float64 [N,4,4]. The cameras stand at world - origin.
    known is bool [N,H,W], where a picture says anything at all: a smaller one lies in the lower left corner, a
    straightened one has borders of its own; None: everywhere.
    """

    rgba: Tensor
    world_to_camera: Tensor
    projection: Tensor
    names: list[str]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    known: Tensor | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def resolution(self) -> tuple[int, int]:
        return self.rgba.shape[1], self.rgba.shape[2]

    @property
    def world_to_clip(self) -> Tensor:
        """[N,4,4] float64."""
        return self.projection @ self.world_to_camera

    def target(self, index: Tensor, device: torch.device) -> Tensor:
        """The pictures of the views `index`, float32 [n,H,W,4] in 0..1, on the device."""
        return self.rgba[index].to(device).float() / 255.0

    def reduced(self, longest: int) -> "Views":
        """The same views with at most `longest` pixels on the longer side."""
        known = None if self.known is None else wholly(self.known, longest)
        return replace(self, rgba=reduced(self.rgba, longest), known=known)

    def doubted(self, index: int, doubt: Tensor | None) -> Tensor | None:
        """`doubt` (bool [H,W], or None for none), and what the picture of that view does not know."""
        if self.known is None or bool(self.known[index].all()):
            return doubt
        return ~self.known[index] if doubt is None else doubt | ~self.known[index]

    def pick(self, index: list[int]) -> "Views":
        """The views of the given indices."""
        return replace(
            self,
            rgba=self.rgba[index],
            world_to_camera=self.world_to_camera[index],
            projection=self.projection[index],
            names=[self.names[i] for i in index],
            known=None if self.known is None else self.known[index],
        )

    def fingerprint(self) -> str:
        """A hash of pictures and cameras: --resume compares it with the interrupted run's."""
        digest = hashlib.sha256(repr((tuple(self.rgba.shape), self.names)).encode())
        for part in (self.rgba, self.world_to_camera, self.projection):
            digest.update(part.contiguous().numpy().tobytes())
        if self.known is not None:
            digest.update(self.known.contiguous().numpy().tobytes())
        if any(self.origin):
            digest.update(repr(self.origin).encode())
        return digest.hexdigest()[:16]
