"""AdamUniform: Adam with one step length for all entries of a tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ..core import check

_SMALLEST = 1e-30  # a divisor for gradients that were 0 all along: their step is 0


class AdamUniform(torch.optim.Optimizer):
    """Adam whose divisor is the largest root mean square of a tensor's entries, instead of each entry's own.

    Adam's divisors undo what makes a step smooth over the mesh: an entry whose gradients are small is moved as far as
    the others. With one divisor a step is a multiple of the (averaged) gradient itself. Made for the variable of
    `LargeSteps`; as for Adam, `lr` is about how far an entry moves in a step.

    Args:
        params: tensors to optimise, or dicts of them with their own lr and betas. Each tensor has its own divisor.
        lr: > 0 (or 0: stand still), the longest step of an entry, in the unit of the tensor.
        betas: decay of the mean of the gradients and of that of their squares, each in [0,1).
    Note: state_dict holds step, mean and square of each tensor; what load_state_dict continues, continues to the bit.
    Source: Nicolet, Jacobson, Jakob 2021, "Large Steps in Inverse Rendering of Geometry", section 3.3.
    Example:
        >>> x = torch.zeros(2, requires_grad=True)
        >>> x.grad = torch.tensor([4.0, 1.0])
        >>> AdamUniform([x], lr=0.5).step()
        >>> x.tolist()
        [-0.5, -0.125]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.999),
    ):
        super().__init__(params, {"lr": lr, "betas": betas})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """One more group, as PyTorch's optimisers take it: {"params": [..], "lr": ..}."""
        super().add_param_group(param_group)
        name, group = "optim.AdamUniform", self.param_groups[-1]
        try:
            lr = check.number(name, "lr", group["lr"])
            check.value(name, "lr", "0 or more", lr >= 0, lr)
            decays = tuple(check.number(name, "betas", beta) for beta in group["betas"])
            inside = len(decays) == 2 and all(0 <= beta < 1 for beta in decays)
            check.value(name, "betas", "two numbers in [0,1)", inside, group["betas"])
        except (TypeError, ValueError):
            del self.param_groups[-1]
            raise

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step against the gradients that are there; `closure`, if any, makes them, and its value is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._step_one(param, param.grad, group["lr"], *group["betas"])
        return loss

    def _step_one(self, param: Tensor, grad: Tensor, lr: float, beta1: float, beta2: float) -> None:
        check.tensor("optim.AdamUniform", "the gradient", grad)
        state = self.state[param]
        if not state:
            state.update(step=0, mean=torch.zeros_like(param), square=torch.zeros_like(param))
        state["step"] += 1
        state["mean"].lerp_(grad, 1.0 - beta1)
        state["square"].mul_(beta2).addcmul_(grad, grad, value=1.0 - beta2)
        if not param.numel():
            return
        # Both moments start at zero; the divisions take that bias out.
        mean = state["mean"] / (1.0 - beta1 ** state["step"])
        largest = (state["square"].max() / (1.0 - beta2 ** state["step"])).sqrt()
        # A tensor divisor: no host synchronisation.
        param.sub_(mean / largest.clamp_min(_SMALLEST), alpha=lr)
