"""From a picture to a mesh: an encoder of three convolutions and three linear layers, and two decoders."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from glrast.clip import icosphere

from .pictures import Pictures

LATENT, HIDDEN, RADIUS = 512, 512, 0.3


class Reconstruction(nn.Module):
    """Pictures [B,R,R,4] to shapes (pos [B,642,3], color [B,642,3] in 0..1) that share the triangles `tri`.

    With `families`, numbers of families [B] instead of pictures: one shape for each family, its mean, in a sense.
    """

    def __init__(self, resolution: int, families: int | None = None):
        super().__init__()
        self.template, self.tri = icosphere(3)
        self.template = self.template * RADIUS
        if families is None:
            self.encoder = encoder(resolution)
        else:
            self.encoder = nn.Embedding(families, LATENT)
        self.shape = decoder(self.template.numel(), 0.1)
        self.color = decoder(self.template.numel(), 1.0)

    def given(self, pictures: Pictures, object: Tensor, view: Tensor) -> Tensor:
        """What `forward` takes: the pictures of those objects from those views, or their families."""
        is_mean = isinstance(self.encoder, nn.Embedding)
        return pictures.family[object] if is_mean else pictures.image(object, view)

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        latent = self.encoder(given)
        moved = self.shape(latent).unflatten(1, (-1, 3))
        return self.template + moved, self.color(latent).unflatten(1, (-1, 3)).sigmoid()


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
        last.weight *= scale  # the first shapes are nearly the template
    return nn.Sequential(nn.Linear(LATENT, HIDDEN), nn.ReLU(), last)


class ChannelsFirst(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image.movedim(3, 1)
