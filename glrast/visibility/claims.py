"""What each way of making visibility differentiable claims; tests/visibility/test_claims.py holds every line to it.

A gradient is right for a kind of discontinuity where it is the derivative of the exact box-filtered image: as a vector
over the clip positions, for a loss that varies smoothly over the image, within the relative error that is stated here.
The kinds are the scenes of glrast/visibility/audit/scenes.py; `visibility.render(name, ..., **options)` is what was
measured, and `glrast audit` measures it again. What is not claimed is not right: the error there is
above a third.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Claim(NamedTuple):
    name: str
    paper: str
    positions: str  # which of pos x, y, z, w get a gradient
    needs: str  # to be called
    noise_free: bool  # two runs give the same bits
    tune: tuple[str, ...]  # parameters that change the gradient
    options: dict[str, Any]  # that the claims were measured with
    color: dict[str, float]  # kinds, and the relative error, of what the colours say
    alpha: dict[str, float]  # of what the last channel says of the mask
    variant: str = ""  # of methods that stand in the table more than once

    @property
    def label(self) -> str:
        return f"{self.name} {self.variant}".strip()


_OUTLINES = (
    "silhouette",
    "flat_mesh",
    "smooth_mesh",
    "sliver",
    "leaving",
    "image_border",
)  # of the mask
_SOFT = ("sigma", "gamma", "faces_per_pixel")

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "antialias", "Laine et al. 2020", "xyw", "rast", True, (), dict(),
        dict(silhouette=0.03, occlusion=0.04, smooth_crease=0.01, smooth_mesh=0.2, leaving=0.02),
        dict(silhouette=0.03, leaving=0.02, smooth_mesh=0.25, flat_mesh=0.25),
    ),
    Claim(
        "antialias", "Laine et al. 2020, with creases and intersections", "xyzw", "rast", True, (),
        dict(discontinuities="all"),
        dict(silhouette=0.03, occlusion=0.04, flat_crease=0.08, shaded_crease=0.03, smooth_crease=0.01, flat_mesh=0.2,
             smooth_mesh=0.2, intersection=0.02, leaving=0.02),
        dict(silhouette=0.03, leaving=0.02, smooth_mesh=0.25, flat_mesh=0.25), "all",
    ),
    Claim(
        "exact", "Li et al. 2018, in closed form", "xyzw", "rast", True, (), dict(),
        dict.fromkeys(
            ("silhouette", "occlusion", "flat_crease", "shaded_crease", "smooth_crease", "flat_mesh", "smooth_mesh",
             "intersection", "sliver", "leaving", "image_border"), 0.01,
        ),
        dict.fromkeys(_OUTLINES, 0.01),
    ),
    Claim(
        "exact near", "Li et al. 2018, in closed form, without creases", "xyzw", "rast", True, (), dict(),
        dict(silhouette=0.01, occlusion=0.01, smooth_crease=0.01, smooth_mesh=0.02, intersection=0.01, sliver=0.01,
             leaving=0.01, image_border=0.01),
        dict.fromkeys(_OUTLINES, 0.01),
    ),
    Claim(
        "softras", "Liu et al. 2019, with colours laid over each other", "xyw", "nearest_faces", True,
        ("sigma", "faces_per_pixel"), dict(color="over", sigma_pix2=1.0, faces_per_pixel=16),
        dict(silhouette=0.08, occlusion=0.12, smooth_crease=0.01, smooth_mesh=0.12, leaving=0.08, sliver=0.33),
        dict(silhouette=0.02, leaving=0.02, smooth_mesh=0.2, flat_mesh=0.2), "over",
    ),
    Claim(
        "softras", "Liu et al. 2019", "xyzw", "nearest_faces", True, _SOFT, dict(sigma_pix2=1.0, faces_per_pixel=16),
        dict(smooth_crease=0.2),
        dict(silhouette=0.02, leaving=0.02, smooth_mesh=0.2, flat_mesh=0.2),
    ),
    Claim(
        "sigmoid_alpha", "PyTorch3D", "xyw", "nearest_faces", True, ("sigma", "faces_per_pixel"),
        dict(sigma_pix2=1.0, faces_per_pixel=16), dict(smooth_crease=0.2),
        dict(silhouette=0.02, leaving=0.02, smooth_mesh=0.2, flat_mesh=0.2),
    ),
    Claim(
        "hard", "PyTorch3D", "xyw", "nearest_faces", True, (), dict(), dict(smooth_crease=0.01), dict(),
    ),
    Claim(
        "gendr", "Petersen et al. 2022, uniform distribution, maximum", "xyzw", "nearest_faces", True,
        ("tau", "distribution", "t_conorm", "gamma", "faces_per_pixel"),
        dict(tau_pix=0.5, distribution="uniform", t_conorm="max", faces_per_pixel=16),
        dict(smooth_crease=0.05, intersection=0.08),
        dict(silhouette=0.06, leaving=0.08, image_border=0.06, sliver=0.33, flat_mesh=0.25, smooth_mesh=0.25),
    ),
    Claim(
        "dibr", "Chen et al. 2019", "xyw", "pos and tri", True, ("sigmainv", "boxlen", "knum"), dict(),
        dict(smooth_crease=0.01), dict(silhouette=0.07, leaving=0.05, smooth_mesh=0.18, flat_mesh=0.18, sliver=0.15),
    ),
    Claim(
        "opendr", "Loper and Black 2014", "xyw", "rast", True, ("overdraw",), dict(),
        dict(flat_crease=0.2, shaded_crease=0.2, smooth_crease=0.2, flat_mesh=0.2, smooth_mesh=0.25),
        dict(flat_mesh=0.2, smooth_mesh=0.2),
    ),
    Claim(
        "dirt", "Henderson and Ferrari 2018", "xyw", "rast", True, (), dict(),
        dict(silhouette=0.11, flat_crease=0.07, shaded_crease=0.05, smooth_crease=0.03, flat_mesh=0.25,
             smooth_mesh=0.3, leaving=0.08),
        dict(silhouette=0.1, flat_mesh=0.3, smooth_mesh=0.3, leaving=0.08),
    ),
    Claim(
        "nmr", "Kato et al. 2018", "xyw", "rast", True, ("eps", "supersample"), dict(), dict(), dict(),
    ),
    Claim(
        "edge_grad", "Pidhorskyi et al. 2024", "xyzw", "rast", True, (), dict(),
        dict(silhouette=0.06, occlusion=0.03, smooth_crease=0.01, smooth_mesh=0.25, intersection=0.03, leaving=0.05),
        dict(silhouette=0.06, flat_mesh=0.25, smooth_mesh=0.25, leaving=0.05),
    ),
    Claim(
        "edge_sampling", "Li et al. 2018", "xyw", "rast", False, ("samples_per_edge",), dict(samples_per_edge=256),
        dict(silhouette=0.05, occlusion=0.05, flat_crease=0.14, shaded_crease=0.1, smooth_crease=0.04, flat_mesh=0.2,
             smooth_mesh=0.25, leaving=0.06),
        dict(silhouette=0.05, flat_mesh=0.25, smooth_mesh=0.25, leaving=0.06),
    ),
    Claim(
        "rasterize_then_splat", "Cole et al. 2021", "xyw", "layers", True, ("layers",), dict(),
        dict(silhouette=0.26, flat_mesh=0.33, smooth_mesh=0.333, leaving=0.32),
        dict(silhouette=0.26, flat_mesh=0.33, smooth_mesh=0.33, leaving=0.3),
    ),
)  # fmt: skip
