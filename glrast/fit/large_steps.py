"""Geometry that takes large steps without crumpling.

A vertex position is not optimised itself. The variable is u = (I + lambda L) x, with the
combinatorial Laplacian L of the mesh; x comes back by solving the sparse system. A gradient on one
vertex so moves its whole neighbourhood: dL/du = (I + lambda L)^-1 dL/dx is the gradient, smoothed.

Source: Nicolet, Jacobson, Jakob 2021, "Large Steps in Inverse Rendering of Geometry", section 3.
"""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch
from torch import Tensor

from ..mesh.topology import laplacian


class LargeSteps:
    """The system (I + smoothness L) of one mesh, factorised once, and its solve with a gradient.

    Args:
        tri: [T,3] triangles.
        vertex_count: V; vertices that no triangle uses are left where they are.
        smoothness: lambda of the paper, >= 0. A step spreads over about sqrt(lambda) edges.

    Note:
        The factor belongs to `tri`. After a remesh make a new one.
    """

    def __init__(self, tri: Tensor, vertex_count: int, smoothness: float):
        self.matrix = system_matrix(tri, vertex_count, smoothness)
        self._factor = scipy.sparse.linalg.splu(self.matrix)

    def to_differential(self, pos: Tensor) -> Tensor:
        """u [V,3] of the positions [V,3], without gradient."""
        u = self.matrix @ pos.detach().cpu().double().numpy()
        return torch.from_numpy(u).to(pos)

    def to_positions(self, u: Tensor) -> Tensor:
        """The positions [V,3] of u [V,3]; differentiable with respect to u."""
        return _Solve.apply(u, self)

    def solve(self, right: Tensor) -> Tensor:
        """(I + lambda L)^-1 right, on the CPU in float64, given back in the type of `right`."""
        # SuperLU wants columns together; a device tensor makes this the step's one host round trip.
        columns = np.asfortranarray(right.detach().cpu().double().numpy())
        return torch.from_numpy(np.ascontiguousarray(self._factor.solve(columns))).to(right)


class _Solve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u: Tensor, system: LargeSteps) -> Tensor:
        ctx.system = system
        return system.solve(u)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *grad_outputs: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        # The matrix is symmetric: the adjoint of the solve is the solve.
        return ctx.system.solve(grad_outputs[0]), None


def system_matrix(tri: Tensor, vertex_count: int, smoothness: float) -> scipy.sparse.csc_array:
    """I + smoothness L as a float64 sparse matrix [V,V]."""
    entries = laplacian(tri.cpu(), vertex_count)
    row, column = entries.indices().numpy()
    value = smoothness * entries.values().double().numpy()
    shape = (vertex_count, vertex_count)
    scaled = scipy.sparse.coo_array((value, (row, column)), shape)
    return (scipy.sparse.eye_array(vertex_count) + scaled).tocsc()


class AdamUniform(torch.optim.Optimizer):
    """Adam with one step length for all entries of a parameter.

    Adam divides each entry by its own root mean square, which undoes the smoothing that the
    solve has put into the gradient. Here the divisor is the largest root mean square of all.

    Args:
        params: tensors to optimise.
        lr: the longest step of an entry, in the unit of the parameter.
        betas: decay of the first and of the second moment.

    Source: Nicolet et al. 2021, section 3.3 ("UniformAdam").
    """

    def __init__(self, params, lr: float, betas: tuple[float, float] = (0.9, 0.999)):
        super().__init__(params, dict(lr=lr, betas=betas))

    @torch.no_grad()
    def step(self, closure=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._step_one(param, group["lr"], *group["betas"])

    def _step_one(self, param: Tensor, lr: float, beta1: float, beta2: float) -> None:
        state = self.state[param]
        if not state:
            state.update(step=0, mean=torch.zeros_like(param), square=torch.zeros_like(param))
        state["step"] += 1
        state["mean"].lerp_(param.grad, 1.0 - beta1)
        state["square"].mul_(beta2).addcmul_(param.grad, param.grad, value=1.0 - beta2)
        # Both moments start at zero; the divisions take that bias out.
        mean = state["mean"] / (1.0 - beta1 ** state["step"])
        largest = (state["square"].max() / (1.0 - beta2 ** state["step"])).sqrt()
        # A tensor divisor: no host synchronisation. A zero gradient everywhere gives a zero step.
        param.sub_(mean / largest.clamp_min(1e-30), alpha=lr)
