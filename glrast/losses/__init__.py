"""What fitting minimises: how far an image, a mask, a mesh or a texture is from what is wanted.

Every loss is one number, a mean, so that its weight stays right when the resolution, the batch or the mesh changes; it
is differentiable, free of NaN gradients where things coincide or are empty, and needs PyTorch alone. Names are those of
the field: docs/losses.md compares them with PyTorch3D's, kaolin's and others'.
"""

from .image import charbonnier_loss, huber_loss, l1_loss, l2_loss, psnr, total_variation
from .mask import iou, iou_loss, mask_loss
from .mesh import (
    dirichlet_energy,
    mesh_edge_loss,
    mesh_laplacian_smoothing,
    mesh_normal_consistency,
)
from .ssim import dssim_loss, ssim

__all__ = [
    "charbonnier_loss",
    "dirichlet_energy",
    "dssim_loss",
    "huber_loss",
    "iou",
    "iou_loss",
    "l1_loss",
    "l2_loss",
    "mask_loss",
    "mesh_edge_loss",
    "mesh_laplacian_smoothing",
    "mesh_normal_consistency",
    "psnr",
    "ssim",
    "total_variation",
]
