"""From a picture to a mesh: an encoder of three convolutions and three linear layers, and two decoders."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glrast.clip import icosphere

from .pictures import BACKGROUND, Pictures

LATENT, HIDDEN, RADIUS = 512, 512, 0.3
COLORS, CELLS = 6, 16  # of a palette; into how many cells the picture is divided along each axis


class Reconstruction(nn.Module):
    """Pictures [B,R,R,4] to shapes (pos [B,642,3], color [B,642,3] in 0..1) that share the triangles `tri`.

    With `families`, numbers of families [B] instead of pictures: one shape for each family, its mean, in a sense.
    """

    def __init__(self, resolution: int, families: int | None = None):
        super().__init__()
        self.template, self.tri = icosphere(3)
        self.template = self.template * RADIUS
        self.is_mean = families is not None
        self.encoder = nn.Embedding(families, LATENT) if self.is_mean else encoder(resolution)
        self.shape = decoder(self.template.numel(), 0.1)
        self.color = (
            decoder(self.template.numel(), 1.0) if self.is_mean else Palette(len(self.template))
        )

    def given(self, pictures: Pictures, object: Tensor, view: Tensor) -> Tensor:
        """What `forward` takes: the pictures of those objects from those views, or their families."""
        return pictures.family[object] if self.is_mean else pictures.image(object, view)

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        latent = self.encoder(given)
        pos = self.template + self.shape(latent).unflatten(1, (-1, 3))
        if self.is_mean:
            return pos, self.color(latent).unflatten(1, (-1, 3)).sigmoid()
        return pos, self.color(latent, given)


class Palette(nn.Module):
    """Colours for vertices that the picture has: a few are picked from it, and each vertex mixes them.

    Source: Liu et al. 2019, section 4.1, whose selection and sampling networks these two decoders are.
    """

    def __init__(self, vertices: int):
        super().__init__()
        self.pick, self.mix = decoder(COLORS * CELLS**2, 3.0), decoder(vertices * COLORS, 3.0)

    def forward(self, latent: Tensor, image: Tensor) -> Tensor:
        image = image.movedim(3, 1)
        background = torch.tensor(BACKGROUND)[:, None, None]
        image = torch.cat([image[:, :3] - (1 - image[:, 3:]) * background, image[:, 3:]], 1)
        cells = F.adaptive_avg_pool2d(image, CELLS).flatten(2)  # [B,4,256], colours times coverage
        weight = self.pick(latent).unflatten(1, (COLORS, -1)).softmax(2)
        palette = weight @ cells.transpose(1, 2)
        palette = palette[..., :3] / palette[..., 3:].clamp(min=1e-6)
        return self.mix(latent).unflatten(1, (-1, COLORS)).softmax(2) @ palette


def encoder(resolution: int, width: int = 32) -> nn.Sequential:
    layers: list[nn.Module] = [ChannelsFirst()]
    for before, after in ((4, width), (width, 2 * width), (2 * width, 4 * width)):
        layers += [
            nn.Conv2d(before, after, 5, stride=2, padding=2),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    layers.append(nn.Flatten())
    for before in (4 * width * (resolution // 8) ** 2, HIDDEN):
        layers += [nn.Linear(before, HIDDEN), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(HIDDEN, LATENT), nn.ReLU())


def decoder(outputs: int, scale: float) -> nn.Sequential:
    last = nn.Linear(HIDDEN, outputs)
    with torch.no_grad():
        last.weight *= scale  # small: the first shapes are nearly the template
    return nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), last)


class ChannelsFirst(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image.movedim(3, 1)
