"""explain: the questions, in the order in which the gradient flows back from the loss to positions."""

from __future__ import annotations

import torch

from ..core import check
from ..core.rast import triangle_id
from . import edges, view
from .answer import Explanation
from .graph import ANTIALIAS_COLOR, ANTIALIAS_POS, Graph, edge, gradient, masks


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
        no-antialias           nothing in the graph gives silhouettes a gradient
        behind-camera, off-screen, beyond-near-far, smaller-than-a-pixel, empty-mesh, not-finite
        no-silhouette          the mesh fills the image
        on-pixel-grid          all edges lie exactly on pixel centres
        constant-color         the same colour on both sides of every silhouette
        mask-before-antialias  a mask has made it the same
        flat-loss              the loss does not look at the silhouettes
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
    pos_clip, tri, rast = _given(pos_clip, tri, rast)
    answer = Explanation()
    graph = Graph(loss, pos)
    if graph.opaque:
        answer.unknown.append(
            f"What happens inside {', '.join(graph.opaque)}: explain the code uncompiled."
        )
    calls = [n for n in graph.of("antialias") if graph.reaches(edge(n, ANTIALIAS_POS))]
    if not _connected(answer, graph, loss, pos):
        _look_at_given(answer, pos_clip, tri, rast)
        return answer
    try:
        answer.gradient, passed = gradient(loss, pos, calls)
        _ways(answer, graph, calls)
        for node in calls:
            _look_at_call(answer, node, passed[node], mask)
        if not calls and not _look_at_rasterized(answer, graph):
            _look_at_given(answer, pos_clip, tri, rast)
    except RuntimeError as error:
        if "second time" not in str(error):
            raise
        answer.unknown.append(
            "What the buffers say: backward() has freed them; call explain before it."
        )
        return answer
    _lost(answer, calls, passed)
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


def _ways(answer: Explanation, graph: Graph, calls: list) -> None:
    """Whether the ways to pos lead through antialias or fragments, the only ones that see silhouettes."""
    if calls or graph.opaque or any(graph.reaches(node) for node in graph.of("fragments")):
        return
    if graph.of("antialias"):
        answer.add(
            "detached",
            "antialias is in the graph, but the positions that it was given do not lead to pos, so that its "
            "silhouettes have no gradient.",
            "Give antialias the same positions as rasterize, without .detach().",
        )
    elif any(graph.reaches(node) for node in graph.of("rasterize")):
        answer.add(
            "no-antialias",
            "The loss depends on pos through rasterize, but not through antialias: silhouettes have no gradient, only "
            "colours inside triangles have.",
            "image = glrast.antialias(image, rast, pos_clip, tri), before the loss.",
        )
    else:
        answer.unknown.append(
            "What was rendered: neither rasterize nor antialias leads from the loss to pos."
        )


def _look_at_call(answer: Explanation, node, passed: tuple, mask: torch.Tensor | None) -> None:
    color, rast, pos, tri, flags, alpha = node.saved_tensors
    covered = (triangle_id(rast) >= 0).flatten(1).any(1)
    known = len(answer.findings)
    view.look(answer, pos, tri, covered, tuple(rast.shape[1:3]))
    if covered.any():
        regions = masks(edge(node, ANTIALIAS_COLOR), rast.shape[:3])
        if mask is not None:
            regions.append(_cut_out(mask, rast.shape[:3]))
        call = edges.Call(color, rast, pos, tri, flags, alpha, passed[0].get(0))
        edges.look(answer, call, regions, mask is not None)
    view.duplicates(answer, pos, tri)
    _say_once(answer, known)


def _cut_out(mask: torch.Tensor, pixels: torch.Size) -> torch.Tensor:
    mask = check.tensor("explain", "mask", mask)
    hint = f"with N, H, W = {tuple(pixels)} (from rast)"
    fits = tuple(mask.shape) in (tuple(pixels), (*pixels, 1))
    check.shape("explain", "mask", mask, "[N,H,W] or [N,H,W,1]", fits, hint)
    return (mask == 0).reshape(pixels)


def _look_at_rasterized(answer: Explanation, graph: Graph) -> bool:
    nodes = [node for node in graph.of("rasterize") if graph.reaches(node)]
    for node in nodes:
        pos, tri, ids = node.saved_tensors
        known = len(answer.findings)
        view.look(answer, pos, tri, (ids > 0).flatten(1).any(1), tuple(ids.shape[1:3]))
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
        view.look(answer, pos_clip, tri, covered, tuple(rast.shape[1:3]))
    view.duplicates(answer, pos_clip, tri)


def _lost(answer: Explanation, calls: list, passed: dict) -> None:
    """Whether antialias gave clip positions a gradient that pos did not get."""
    if answer.gradient is None or answer.gradient.any():
        return
    grads = [passed[node][1].get(ANTIALIAS_POS) for node in calls]
    arrived = [g for g in grads if g is not None and g.any()]
    if arrived:
        answer.add(
            "lost-before-clip",
            f"Clip positions have a gradient (norm {max(g.norm().item() for g in arrived):.2g}), but on its way to "
            "pos it becomes zero.",
            "Look between pos and the clip positions: a product with 0, a clamp, round(), or parts that cancel.",
        )
    elif not answer.findings:
        answer.unknown.append("The cause: it is none of those that explain knows.")


def _say_once(answer: Explanation, known: int) -> None:
    """Several calls with one mesh (colours and a mask, say) give the same findings."""
    fresh = [f for f in answer.findings[known:] if f not in answer.findings[:known]]
    answer.findings[known:] = fresh
