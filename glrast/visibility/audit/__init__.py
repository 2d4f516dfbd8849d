"""What every answer to the discontinuity problem is worth, measured in one small scene for each kind."""

from .pictures import jacobian
from .report import LABELS, Report, Ticks, audit

__all__ = ["audit", "jacobian", "LABELS", "Report", "Ticks"]
