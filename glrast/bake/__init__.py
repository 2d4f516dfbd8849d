"""Baking: what a surface looks like, written into a texture, and the pictures that image models ask for.

atlas.py: where each triangle lies on the texture; report.py: what is wrong with it. texels.py: the surface under each
texel. pad.py: charts continued into the gutters. visible.py, project.py: photographs onto the texture. transfer.py,
occlusion.py: from a fine mesh to a coarse one. inpaint.py: what no picture saw. views.py: position, normal, depth,
mask, uv, id from cameras.
"""

from .atlas import atlas, with_atlas
from .inpaint import inpaint
from .occlusion import ambient_occlusion
from .pad import pad
from .project import Projection, project
from .report import Report, report
from .texels import Texels, texels
from .transfer import Transfer, transfer
from .unwrap import Atlas
from .views import views
from .visible import Visible, visible

__all__ = [
    "Atlas",
    "Projection",
    "Report",
    "Texels",
    "Transfer",
    "Visible",
    "ambient_occlusion",
    "atlas",
    "inpaint",
    "pad",
    "project",
    "report",
    "texels",
    "transfer",
    "views",
    "visible",
    "with_atlas",
]
