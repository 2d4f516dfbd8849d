"""Ways to ask for a gradient: each takes a function of one tensor to a loss, and the tensor, and gives the gradient."""

import copy
import threading

import pytest
import torch
from torch.utils.checkpoint import checkpoint


def by_backward(loss, at):
    leaf = at.clone().requires_grad_()
    loss(leaf).backward()
    return leaf.grad


def by_autograd_grad(loss, at):
    leaf = at.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf, materialize_grads=True)[0]


def with_another_input(loss, at):
    leaf, other = at.clone().requires_grad_(), torch.ones((), requires_grad=True)
    grads = torch.autograd.grad(
        loss(leaf) + other.square(), [other, leaf], allow_unused=True, materialize_grads=True
    )
    assert grads[0] == 2
    return grads[1]


def by_a_hook(loss, at):
    leaf, seen = at.clone().requires_grad_(), []
    inner = leaf * 1
    inner.register_hook(seen.append)
    loss(inner).backward()
    return seen[0]


def by_create_graph(loss, at):
    leaf = at.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf, create_graph=True, materialize_grads=True)[0]


def by_torch_func(loss, at):
    return torch.func.grad(loss)(at)


def by_vjp(loss, at):
    value, pull = torch.func.vjp(loss, at)
    return pull(torch.ones_like(value))[0]


def by_vmap(loss, at):
    return torch.vmap(torch.func.grad(loss))(torch.stack([at, at]))[1]


def batched(loss, at):
    leaf = at.clone().requires_grad_()
    out = torch.stack([loss(leaf)] * 2)
    rows = torch.eye(2, device=out.device)
    (grads,) = torch.autograd.grad(
        out, leaf, rows, is_grads_batched=True, allow_unused=True, materialize_grads=True
    )
    return grads[1]


def by_checkpoint(loss, at, reentrant=False):
    leaf = at.clone().requires_grad_()
    return torch.autograd.grad(
        checkpoint(loss, leaf, use_reentrant=reentrant), leaf, materialize_grads=True
    )[0]


def by_checkpoint_reentrant(loss, at):
    leaf = at.clone().requires_grad_()
    checkpoint(loss, leaf, use_reentrant=True).backward()
    return leaf.grad


def in_a_module(loss, at):
    module = torch.nn.Module()
    module.at = torch.nn.Parameter(at.clone())
    twin = copy.deepcopy(module)
    loss(twin.at).backward()
    assert module.at.grad is None
    return twin.at.grad


def under_autocast(loss, at):
    leaf = at.clone().requires_grad_()
    with torch.autocast(at.device.type, torch.bfloat16):
        value = loss(leaf)
    value.backward()
    return leaf.grad


def in_threads(loss, at):
    found = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: by_backward(loss, at)}))
        for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(torch.equal(found[0], g) for g in found.values())
    return found[2]


def saved_elsewhere(loss, at):
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t.clone()):
        leaf = at.clone().requires_grad_()
        value = loss(leaf)
    return torch.autograd.grad(value, leaf, materialize_grads=True)[0]


def compiled(loss, at):
    torch._dynamo.reset()
    try:
        return by_autograd_grad(torch.compile(loss, backend="aot_eager"), at)
    finally:
        torch._dynamo.reset()


WAYS = [
    by_backward, by_autograd_grad, with_another_input, by_a_hook, by_create_graph, by_torch_func, by_vjp, by_vmap,
    batched, by_checkpoint, by_checkpoint_reentrant, in_a_module, under_autocast, in_threads, saved_elsewhere,
    pytest.param(compiled, marks=pytest.mark.slow),
]  # fmt: skip
