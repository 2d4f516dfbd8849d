"""The autograd graph of a loss: which operations lie between it and a tensor, with what they saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from ..ops.function import name_of

# Nodes that hide what happened in them.
_OPAQUE = ("CompiledFunctionBackward", "CheckpointFunctionBackward")
_MOST_NODES_OF_A_MASK = 1000
# Place of the differentiable arguments among a node's edges: that of the tensors in the autograd.Function's forward.
ANTIALIAS_COLOR, ANTIALIAS_POS = 0, 2


class Graph:
    """All nodes behind a loss, and which of them lead to `target`."""

    def __init__(self, loss: torch.Tensor, target: torch.Tensor):
        self.nodes = list(_reachable([loss.grad_fn]))
        self.target = [node for node in self.nodes if _belongs(node, target)]
        self._leading = self._leads_to(self.target)

    def reaches(self, node) -> bool:
        return node in self._leading

    def of(self, operation: str) -> list[Any]:
        """The nodes of one of glrast's operations, 'antialias', 'rasterize', ..."""
        return [n for n in self.nodes if name_of(n) == operation]

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


def gradient(loss: torch.Tensor, target: torch.Tensor, watched: list) -> tuple:
    """d loss / d target or None, and for each watched node ({output: gradient}, {input: gradient}) that passed it.

    Nothing accumulates into .grad, and the graph is kept.
    """
    seen = {node: ({}, {}) for node in watched}

    def watch(node):
        def passed(grad_inputs, grad_outputs):
            for numbered, grads in zip(seen[node], (grad_outputs, grad_inputs)):
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
