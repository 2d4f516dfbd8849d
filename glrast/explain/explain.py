"""explain: the questions, in the order in which the gradient flows back from the loss to positions."""

from __future__ import annotations

from typing import Any

import torch

from ..core import check
from ..core.rast import triangle_id
from ..ops.function import name_of
from ..visibility.fragments import shows_triangles
from . import edges, view, ways
from .answer import Explanation
from .graph import ANTIALIAS_COLOR, Graph, Passed, edge, gradient, masks


def explain(
    loss: torch.Tensor,
    pos: torch.Tensor,
    *,
    pos_clip: torch.Tensor | None = None,
    tri: torch.Tensor | None = None,
    rast: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
) -> Explanation:
    """Why the gradient of a loss with respect to positions is zero, or not what it should be.

    Call it where `loss.backward()` would stand. It computes the gradient itself, changes no .grad and keeps the graph.
    Every finding was seen in the graph or in the buffers that the operations saved; what they cannot tell is listed
    as not known.

    Args:
        loss: a scalar, before backward.
        pos: the tensor whose gradient is missing: vertices, or what they are computed from (a pose, an offset).
        pos_clip, tri, rast: what `rasterize` got and gave, for where the graph is broken before it; else it has them.
        mask: [N,H,W] or [N,H,W,1], 0 where colours were cut out before antialias: masks of tensors without gradient
            are not in the graph.

    Returns: an Explanation: print it; or read its findings (cause, sentence, remedy), `causes`, `unknown`,
        `gradient`, `zero` and `fine`. The causes are
        detached               the graph from the loss does not reach pos, or reaches it past antialias only
        no-antialias           rasterize, peel or interpolate lead to pos, but nothing that gives silhouettes a gradient
        behind-camera, off-screen, beyond-near-far, smaller-than-a-pixel, empty-mesh, not-finite
        no-silhouette          the mesh fills the image
        on-pixel-grid          all edges lie exactly on pixel centres
        constant-color         the same colour on both sides of every silhouette
        mask-before-antialias  a mask has made it the same
        flat-loss              the loss does not look at the silhouettes, or at nothing that has a gradient
        duplicated-vertices    edges are open because their vertices have several indices
        lost-before-clip       clip positions have a gradient, pos has none

    Raises: TypeError, ValueError: loss is no scalar tensor, pos no tensor.

    Example:
        loss = (glrast.antialias(color, rast, pos_clip, tri) - target).square().mean()
        print(glrast.explain(loss, vertices))
    """
    check.tensor("explain", "loss", loss)
    check.tensor("explain", "pos", pos)
    hint = "(call it with the number that backward is called on)"
    check.shape("explain", "loss", loss, "a scalar", loss.numel() == 1, hint)
    return _explanation(Graph(loss, pos), loss, pos, _given(pos_clip, tri, rast), mask)


def _explanation(
    graph: Graph,
    loss: torch.Tensor,
    pos: torch.Tensor,
    given: tuple[Any, ...],
    mask: torch.Tensor | None,
) -> Explanation:
    """The questions, one after the other, until the answer is known."""
    answer = Explanation()
    if graph.opaque:
        answer.unknown.append(
            f"What happens inside {', '.join(graph.opaque)}: explain the code uncompiled."
        )
    calls = graph.seeing("antialias")
    if not _connected(answer, graph, loss, pos):
        _look_at_given(answer, *given)
        return answer
    try:
        answer.gradient, passed = gradient(loss, pos, graph.own)
        ways.look(answer, graph)
        for node in calls:
            _look_at_call(answer, node, passed, mask)
        if not calls and not _look_at_drawn(answer, graph):
            _look_at_given(answer, *given)
    except RuntimeError as error:
        if "second time" not in str(error):
            raise
        answer.unknown.append(
            "What the buffers say: backward() has freed them; call explain before it."
        )
        return answer
    ways.look_where_it_ends(answer, graph, passed)
    return answer


def _given(pos_clip, tri, rast) -> tuple:
    """What rasterize got and gave, checked; None where it was not given."""
    if pos_clip is not None:
        pos_clip = check.floats("explain", "pos_clip", pos_clip)
        fits = pos_clip.ndim in (2, 3) and pos_clip.shape[-1] == 4
        check.shape("explain", "pos_clip", pos_clip, "[N,V,4] or [V,4], clip positions", fits)
    if tri is not None:
        tri = check.triangles("explain", tri)
    if rast is not None:
        rast = check.floats("explain", "rast", rast).detach()
        fits = rast.ndim == 4 and rast.shape[3] == 4
        check.shape("explain", "rast", rast, "[N,H,W,4]", fits)
    return pos_clip, tri, rast


def _connected(answer: Explanation, graph: Graph, loss: torch.Tensor, pos: torch.Tensor) -> bool:
    """Whether a way leads from the loss to pos."""
    if graph.target:
        return True
    if not pos.requires_grad:
        sentence, remedy = (
            "pos does not require a gradient.",
            "Call pos.requires_grad_() before rendering.",
        )
    elif loss.grad_fn is None:
        sentence = "The loss has no graph: nothing it was computed from has a gradient."
        remedy = "Look for torch.no_grad(), .detach(), .item(), .numpy(), or a loss of rast's ids or depth alone."
    else:
        ends = ", ".join(graph.ends[:6])
        sentence = f"The graph of the loss does not lead to this pos; it ends at leaves of shape {ends or 'none'}."
        remedy = (
            "Look for .detach(), torch.no_grad(), .data, or a copy: pos must be the very tensor that was rendered, "
            "and the same positions go to rasterize and antialias."
        )
    answer.add("detached", sentence, remedy)
    if not graph.of("antialias"):
        answer.unknown.append(
            "Whether antialias was called: a call without gradient leaves no trace in the graph."
        )
    return False


def _look_at_call(
    answer: Explanation, node: Any, passed: dict[Any, Passed], mask: torch.Tensor | None
) -> None:
    color, rast, pos, tri, flags, alpha = node.saved_tensors
    covered = (triangle_id(rast) >= 0).flatten(1).any(1)
    known = len(answer.findings)
    view.look(answer, pos, tri, covered.tolist(), tuple(rast.shape[1:3]))
    if covered.any() and not ways.is_moved_inside(node, passed):
        regions = masks(edge(node, ANTIALIAS_COLOR), rast.shape[:3])
        if mask is not None:
            regions.append(_cut_out(mask, rast.shape[:3]))
        call = edges.Call(color, rast, pos, tri, flags, alpha, passed[node].results.get(0))
        edges.look(answer, call, regions, mask is not None)
    view.duplicates(answer, pos, tri)
    _say_once(answer, known)


def _cut_out(mask: torch.Tensor, pixels: torch.Size) -> torch.Tensor:
    mask = check.tensor("explain", "mask", mask)
    hint = f"with N, H, W = {tuple(pixels)} (from rast)"
    fits = tuple(mask.shape) in (tuple(pixels), (*pixels, 1))
    check.shape("explain", "mask", mask, "[N,H,W] or [N,H,W,1]", fits, hint)
    return (mask == 0).reshape(pixels)


def _look_at_drawn(answer: Explanation, graph: Graph) -> bool:
    """What the buffers of rasterize and peel say, or those of fragments; whether there are any."""
    nodes = graph.seeing("rasterize", "peel") or graph.seeing("fragments")
    for node in nodes:
        pos, tri, *state = node.saved_tensors
        known = len(answer.findings)
        if (
            name_of(node) == "fragments"
        ):  # keeps pixels with a boundary: without one nothing is known
            shown = [shows or None for shows in shows_triangles(node)]
            view.look(answer, pos, tri, shown, tuple(node.size[1:]))
        else:
            (ids,) = state
            behind = name_of(node) == "peel"  # a layer may well be empty
            shown = [
                True if c or not behind else None for c in (ids > 0).flatten(1).any(1).tolist()
            ]
            view.look(answer, pos, tri, shown, tuple(ids.shape[1:3]))
        view.duplicates(answer, pos, tri)
        _say_once(answer, known)
    return bool(nodes)


def _look_at_given(answer: Explanation, pos_clip, tri, rast) -> None:
    """What the arguments say, where the graph has no buffers."""
    if pos_clip is None or tri is None:
        answer.unknown.append("What the mesh looks like: give explain pos_clip=, tri= and rast=.")
        return
    if rast is not None:
        covered = (triangle_id(rast) >= 0).flatten(1).any(1)
        view.look(answer, pos_clip, tri, covered.tolist(), tuple(rast.shape[1:3]))
    view.duplicates(answer, pos_clip, tri)


def _say_once(answer: Explanation, known: int) -> None:
    """Several calls with one mesh (colours and a mask, say) give the same findings."""
    fresh = [f for f in answer.findings[known:] if f not in answer.findings[:known]]
    answer.findings[known:] = fresh
