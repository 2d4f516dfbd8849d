"""What operators look for under glrast.debug: indices, degenerate triangles, NaN and infinity, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import torch

from ..core.rast import triangle_id

# Clip-space volume of a triangle relative to its rows' lengths below which it has no area; float64 rounding is 1e-16.
_ZERO_AREA = 1e-14


class _Runs(Protocol):
    def run(self) -> Any: ...


def run(operator: str, given: _Runs) -> Any:
    """A call of the operator with its arguments and results checked."""
    return checked(operator, vars(given), given.run)


def checked(operator: str, arguments: Mapping[str, Any], run: Callable[[], Any]) -> Any:
    """`run`, and checks of what it is given, by name, and of its results."""
    function = operator.removesuffix("_backward")
    backward = " (backward)" if operator != function else ""
    for name, value in arguments.items():
        check_finite(function + backward, name, value)
    if not backward:  # its forward has seen the same ones
        _check_indices(function, arguments)
    results: Any = run()
    several: tuple[Any, ...] = (results,) if isinstance(results, torch.Tensor) else results
    for i, result in enumerate(several):
        check_finite(function + backward, f"result {i}", result)
    return results


def check_finite(function: str, name: str, value: Any) -> None:
    """FloatingPointError with the first element of a float tensor that is NaN or infinite."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or not value.numel():
        return
    bad = ~torch.isfinite(value)
    if not bad.any():
        return
    index = cast(list[int], bad.nonzero()[0].tolist())  # pyright: ignore[reportUnknownMemberType] no types
    raise FloatingPointError(
        f"glrast.{function}: {name} must be finite; {name}{index} is {value[tuple(index)].item()}"
        f" ({int(bad.sum())} of {value.numel()} elements are not)"
    )


def _check_indices(function: str, given: Mapping[str, Any]) -> None:
    """Triangles against the vertices they name, pixels against the triangles they name."""
    tri, rast, pos = given.get("tri"), given.get("rast"), given.get("pos")
    vertices = pos if pos is not None else given.get("attr")
    if tri is None or vertices is None:
        return
    V, T = vertices.shape[-2], tri.shape[0]
    _refuse_first(
        function, ((tri < 0) | (tri >= V)).any(-1), lambda t: (
            f"tri must hold vertex indices from 0 to {V - 1} ({'pos' if pos is not None else 'attr'} has V={V}); "
            f"triangle {t} is {tri[t].tolist()}"
        ),
    )  # fmt: skip
    if rast is not None:
        ids = triangle_id(rast)
        _refuse_first(
            function, (ids >= T).reshape(-1), lambda i: (
                f"rast must name triangles from 0 to {T - 1} (tri has T={T}); pixel (image, row, column) "
                f"{list(_unravel(i, ids.shape))} names triangle {int(ids.reshape(-1)[i])}"
            ),
        )  # fmt: skip
    elif pos is not None and T:
        _check_areas(function, pos, tri)


def _check_areas(function: str, pos: torch.Tensor, tri: torch.Tensor) -> None:
    for n, vertices in enumerate(pos if pos.ndim == 3 else pos[None]):
        corners = vertices[tri.long()].double()  # [T,3,4]
        norms = cast(torch.Tensor, corners.norm(dim=-1))  # pyright: ignore[reportUnknownMemberType] no types
        lengths = norms.prod(-1)
        minors = torch.stack([torch.det(corners[..., keep]) for keep in _THREE_OF_FOUR])
        flat = minors.abs().amax(0) <= _ZERO_AREA * lengths
        _refuse_first(
            function, flat, lambda t, corners=corners, n=n: (
                f"tri must hold triangles with an area; triangle {t} = {_numbers(tri[t])} has none in image {n}: its "
                f"corners are {_numbers(corners[t])}; remove it (glrast.clip.weld drops collapsed triangles)"
            ),
        )  # fmt: skip


_THREE_OF_FOUR = ([0, 1, 3], [0, 1, 2], [0, 2, 3], [1, 2, 3])


def _refuse_first(function: str, wrong: torch.Tensor, say: Callable[[int], str]) -> None:
    if wrong.any():
        count = int(wrong.sum())
        more = f" (the first of {count})" if count > 1 else ""
        raise ValueError(f"glrast.{function}: {say(int(wrong.nonzero()[0]))}{more}")


def _numbers(tensor: torch.Tensor) -> list[Any]:
    return cast(list[Any], tensor.tolist())  # pyright: ignore[reportUnknownMemberType] no types


def _unravel(index: int, shape: Sequence[int]) -> tuple[int, ...]:
    out: list[int] = []
    for extent in reversed(shape):
        index, rest = divmod(index, extent)
        out.append(rest)
    return tuple(reversed(out))
