"""The answer: findings with cause, sentence and remedy, what is not known, and the gradient itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Finding:
    """One cause, seen in the graph or the buffers.

    cause: one of the words of `glrast.explain`'s list; sentence: what was seen, with numbers; remedy: what to do.
    """

    cause: str
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.sentence}\n   -> {self.remedy}"


@dataclass
class Explanation:
    """What `glrast.explain` found; a sequence of Findings that prints as text.

    gradient: d loss / d pos, or None where it could not be computed; unknown: sentences on what cannot be known.
    """

    gradient: torch.Tensor | None = None
    findings: list[Finding] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def causes(self) -> list[str]:
        return [finding.cause for finding in self.findings]

    @property
    def zero(self) -> bool | None:
        """Whether every element of the gradient is 0; None where it is not known."""
        return None if self.gradient is None else not bool(self.gradient.any())

    @property
    def fine(self) -> bool:
        """The gradient is finite and not zero, and no cause was found."""
        known = self.gradient is not None and bool(self.gradient.isfinite().all())
        return known and not self.zero and not self.findings

    def add(self, cause: str, sentence: str, remedy: str) -> None:
        self.findings.append(Finding(cause, sentence, remedy))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, index: int) -> Finding:
        return self.findings[index]

    def __str__(self) -> str:
        numbered = [f"{i}. {finding}" for i, finding in enumerate(self.findings, 1)]
        return "\n".join([self._summary(), *numbered, *(f"Not known: {u}" for u in self.unknown)])

    __repr__ = __str__

    def _summary(self) -> str:
        if self.gradient is None:
            return "The gradient of pos could not be computed."
        if self.gradient.numel() == 0:
            return "The gradient of pos has no elements."
        finite = self.gradient.isfinite()
        if not finite.all():
            bad = int((~finite).sum())
            return f"The gradient of pos is not finite: {bad} of {finite.numel()} elements."
        if self.zero:
            return "The gradient of pos is zero."
        rows = self.gradient.reshape(-1, self.gradient.shape[-1] if self.gradient.ndim > 1 else 1)
        some, norm = int(rows.any(-1).sum()), self.gradient.double().norm().item()
        end = "and nothing was found that would spoil it" if self.fine else "but see below"
        return f"The gradient of pos is not zero: norm {norm:.3g}, in {some} of {len(rows)} rows, {end}."
