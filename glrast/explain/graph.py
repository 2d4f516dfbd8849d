"""The autograd graph of a loss: which operations lie between it and a tensor, with what they saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from ..ops.function import name_of

# Nodes that hide what happened in them.
_OPAQUE = ("CompiledFunctionBackward", "CheckpointFunctionBackward")
_MOST_NODES_OF_A_MASK = 1000
# Where positions stand among the tensors that an operation takes, by its name: their place among a node's edges. What
# interpolate takes for attributes may be positions, too.
_POS = {
    "antialias": 2, "antialias_inner": 2, "fragments": 1, "rasterize": 0, "peel": 0, "interpolate": 0,
    "opendr": 2, "dirt": 2, "nmr": 2, "edge_grad": 2, "edge_sampling": 2, "rasterize_then_splat": 0,
}  # fmt: skip
ANTIALIAS_COLOR = 0


class Graph:
    """All nodes behind a loss, and which of them lead to `target`."""

    def __init__(self, loss: torch.Tensor, target: torch.Tensor):
        self.nodes = list(_reachable([loss.grad_fn]))
        self.target = [node for node in self.nodes if _belongs(node, target)]
        self._leading = self._leads_to(self.target)

    def reaches(self, node) -> bool:
        return node in self._leading

    def of(self, *operations: str) -> list[Any]:
        """The nodes of some of glrast's operations, by the names that they carry: 'antialias', 'rasterize', ..."""
        return [n for n in self.nodes if name_of(n) in operations]

    @property
    def own(self) -> list[Any]:
        """The nodes of all of glrast's operations that lead to the target."""
        return [n for n in self.nodes if name_of(n) is not None and self.reaches(n)]

    def seeing(self, *operations: str) -> list[Any]:
        """Those of them whose positions lead to the target."""
        return [n for n in self.of(*operations) if self.reaches(pos_edge(n))]

    @property
    def opaque(self) -> list[str]:
        """Names of nodes whose inside cannot be seen."""
        return sorted({n.name() for n in self.nodes if n.name() in _OPAQUE})

    @property
    def ends(self) -> list[str]:
        """Shapes of the leaves that the loss does depend on."""
        leaves = [n.variable for n in self.nodes if hasattr(n, "variable")]
        return ["[" + ",".join(map(str, leaf.shape)) + "]" for leaf in leaves]

    def _leads_to(self, target: Iterable) -> set:
        users: dict[Any, list] = {}
        for node in self.nodes:
            for follower in _followers(node):
                users.setdefault(follower, []).append(node)
        found, waiting = set(target), list(target)
        while waiting:
            for user in users.get(waiting.pop(), ()):
                if user not in found:
                    found.add(user)
                    waiting.append(user)
        return found


def edge(node, place: int):
    """The node that the gradient of an input goes to; None where the input has no graph."""
    followers = node.next_functions
    return followers[place][0] if place < len(followers) else None


def pos_edge(node: Any) -> Any:
    """The node that the gradient of an operation's positions goes to."""
    return edge(node, _POS[name_of(node) or ""])


@dataclass
class Passed:
    """The gradients that passed a node, by their places; not those that were None."""

    results: dict[int, torch.Tensor] = field(default_factory=dict)
    inputs: dict[int, torch.Tensor] = field(default_factory=dict)

    @property
    def arrived(self) -> bool:
        """Whether the loss changes with any result."""
        return any(bool(g.any()) for g in self.results.values())


def to_pos(node: Any, passed: Passed) -> torch.Tensor | None:
    """The gradient of an operation's positions; None where it takes none."""
    return passed.inputs.get(_POS.get(name_of(node) or "", -1))


def gradient(
    loss: torch.Tensor, target: torch.Tensor, watched: list[Any]
) -> tuple[torch.Tensor | None, dict[Any, Passed]]:
    """d loss / d target or None, and what passed each watched node.

    Nothing accumulates into .grad, and the graph is kept.
    """
    seen: dict[Any, Passed] = {node: Passed() for node in watched}

    def watch(node):
        def passed(grad_inputs, grad_outputs):
            by_place = (seen[node].results, grad_outputs), (seen[node].inputs, grad_inputs)
            for numbered, grads in by_place:
                numbered.update({i: g for i, g in enumerate(grads) if g is not None})

        return node.register_hook(passed)

    hooks = [watch(node) for node in watched]
    try:
        (grad,) = torch.autograd.grad(loss, target, retain_graph=True, allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    return grad, seen


def masks(node, pixels: torch.Size) -> list[torch.Tensor]:
    """Regions bool [N,H,W] that the graph shows to be cut out, or kept, of what goes into `node`.

    From products with a constant of two values of which one is 0, from where and masked_fill; not beyond glrast's own
    operations: there the tensors are no images.
    """
    regions = []
    for i, found in enumerate(_reachable([node], stop_at_own=True)):
        if i == _MOST_NODES_OF_A_MASK:
            break
        name = found.name()
        if name == "MulBackward0":
            saved = (found._saved_self, found._saved_other)
            factors = [t for t in saved if isinstance(t, torch.Tensor)]
            if len(factors) == 1:  # only the factor that has no gradient is kept
                regions += [_spread(f == 0, pixels) for f in factors if _two_valued(f)]
        elif name == "WhereBackward0":
            regions += [
                _spread(c, pixels) for c in (found._saved_condition, ~found._saved_condition)
            ]
        elif name == "MaskedFillBackward0":
            regions.append(_spread(found._saved_mask, pixels))
    return [region for region in regions if region is not None]


def _two_valued(factor: torch.Tensor) -> bool:
    low, high = factor.min(), factor.max()
    return bool(((factor == low) | (factor == high)).all() & (low != high) & (low * high == 0))


def _spread(region: torch.Tensor, pixels: torch.Size) -> torch.Tensor | None:
    """A region of [N,H,W,C] (or what broadcasts to it) as [N,H,W]: where all channels are in it."""
    try:
        return region.all(-1).expand(pixels) if region.ndim else None
    except RuntimeError:
        return None


def _reachable(starts, stop_at_own: bool = False) -> Iterator[Any]:
    seen, waiting = set(), [s for s in starts if s is not None]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if stop_at_own and _own(node):
            continue
        yield node
        waiting.extend(_followers(node))


def _own(node) -> bool:
    return name_of(node) is not None


def _followers(node) -> list:
    return [follower for follower, _ in node.next_functions if follower is not None]


def _belongs(node, target: torch.Tensor) -> bool:
    if target.grad_fn is not None:
        return node is target.grad_fn
    return getattr(node, "variable", None) is target
