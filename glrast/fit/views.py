"""N pictures and the cameras that took them, in memory."""

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .images import reduced


@dataclass(frozen=True)
class Views:
    """N pictures and the cameras that took them.

    rgba is uint8 [N,H,W,4] on the CPU, row 0 at the bottom, colour premultiplied by alpha;
    world_to_camera and projection are float64 [N,4,4]. The cameras stand at world - origin.
    """

    rgba: Tensor
    world_to_camera: Tensor
    projection: Tensor
    names: list[str]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

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
        return replace(self, rgba=reduced(self.rgba, longest))

    def pick(self, index: list[int]) -> "Views":
        """The views of the given indices."""
        return replace(
            self,
            rgba=self.rgba[index],
            world_to_camera=self.world_to_camera[index],
            projection=self.projection[index],
            names=[self.names[i] for i in index],
        )

    def fingerprint(self) -> str:
        """A hash of pictures and cameras: --resume compares it with the interrupted run's."""
        digest = hashlib.sha256(repr((tuple(self.rgba.shape), self.names)).encode())
        for part in (self.rgba, self.world_to_camera, self.projection):
            digest.update(part.contiguous().numpy().tobytes())
        if any(self.origin):
            digest.update(repr(self.origin).encode())
        return digest.hexdigest()[:16]
