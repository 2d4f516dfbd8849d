"""On which ways the loss depends on pos, and where a gradient on them becomes zero."""

from __future__ import annotations

from typing import Any

from ..ops.function import name_of
from .answer import Explanation
from .graph import Graph, Passed, pos_edge, to_pos

# Operations by the names that their nodes carry. What gives boundaries a gradient:
SEE_BOUNDARIES = (
    "antialias", "antialias_inner", "fragments", "opendr", "dirt", "nmr", "edge_grad", "edge_sampling",
    "rasterize_then_splat",
)  # fmt: skip
# What gives one to the inside of triangles; interpolate where it is given positions as attributes.
INSIDE = ("rasterize", "peel", "interpolate")


def look(answer: Explanation, graph: Graph) -> None:
    """Whether the ways to pos lead through what sees silhouettes."""
    if graph.opaque or graph.seeing(*SEE_BOUNDARIES):
        return
    blind = _names(graph.of("antialias", "fragments"))
    inside = _names(graph.seeing(*INSIDE))
    if blind:
        answer.add(
            "detached",
            f"{blind} is in the graph, but the positions that it was given do not lead to pos, so that its "
            "silhouettes have no gradient.",
            f"Give {blind} the same positions as rasterize, without .detach().",
        )
    elif inside:
        answer.add(
            "no-antialias",
            f"The loss depends on pos through {inside}, but not through antialias: silhouettes have no gradient, only "
            "colours inside triangles have.",
            "image = glrast.antialias(image, rast, pos_clip, tri), before the loss.",
        )
    else:
        others = _names(graph.own)
        answer.unknown.append(
            "What was rendered: neither rasterize nor antialias leads from the loss to pos"
            + (f"; {others} does." if others else ".")
        )


def _names(nodes: list[Any]) -> str:
    """'peel' or 'interpolate and rasterize'."""
    names = sorted({name_of(n) or "" for n in nodes})
    said = ["clip.transform_points" if name == "transform" else name for name in names]
    return " and ".join(said)


def is_moved_inside(call: Any, passed: dict[Any, Passed]) -> bool:
    """Whether inner boundaries (discontinuities="all") of a call of antialias give its positions a gradient: then it is
    no fault where its silhouettes do not."""
    for node, gradients in passed.items():
        grad = to_pos(node, gradients)
        if name_of(node) == "antialias_inner" and pos_edge(node) is pos_edge(call):
            if grad is not None and bool(grad.any()):
                return True
    return False


def look_where_it_ends(answer: Explanation, graph: Graph, passed: dict[Any, Passed]) -> None:
    """Why pos gets no gradient though the graph leads there: none sets out, none comes through, or it is lost."""
    if answer.gradient is None or answer.gradient.any():
        return
    seeing = graph.seeing(*SEE_BOUNDARIES, *INSIDE)
    grads = [to_pos(node, passed[node]) for node in seeing]
    norms = [g.norm().item() for g in grads if g is not None and g.any()]
    if norms:
        answer.add(
            "lost-before-clip",
            f"Clip positions have a gradient (norm {max(norms):.2g}), but on its way to pos it becomes zero.",
            "Look between pos and the clip positions: a product with 0, a clamp, round(), or parts that cancel.",
        )
        return
    if seeing and not _is_explained(answer):
        _flat(answer, seeing, passed)
    if not answer.findings:
        answer.unknown.append("The cause: it is none of those that explain knows.")


def _is_explained(answer: Explanation) -> bool:
    """Is there a finding that by itself leaves no gradient?"""
    return any(cause not in ("no-antialias", "duplicated-vertices") for cause in answer.causes)


def _flat(answer: Explanation, seeing: list[Any], passed: dict[Any, Passed]) -> None:
    names = _names(seeing)
    arrived = [node for node in seeing if passed[node].arrived]
    if not any(gradients.arrived for gradients in passed.values()):
        answer.add(
            "flat-loss",
            f"The loss does not change with any result of {names}.",
            "Look for a clamp, a comparison or a weight of 0 on the way; a loss at its minimum is flat, too.",
        )
    elif arrived and all(_asks_for_depth(node, passed[node]) for node in arrived):
        answer.add(
            "flat-loss",
            f"The loss changes with z/w or the triangle ids of {names} alone, which have no gradient.",
            "For a differentiable depth interpolate it as an attribute: interpolate(pos_clip[..., 2:], rast, tri).",
        )


def _asks_for_depth(node: Any, gradients: Passed) -> bool:
    """Is channel 2 or 3 of rast all that has a gradient?"""
    if name_of(node) not in ("rasterize", "peel", "fragments"):
        return False
    others = [g for place, g in gradients.results.items() if place > 0]
    rast = gradients.results.get(0)
    return rast is not None and not rast[..., :2].any() and not any(bool(g.any()) for g in others)
