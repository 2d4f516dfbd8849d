"""The losses once more, in float64 NumPy and loops, from their definitions alone; and gradients by differences."""

import math

import numpy as np
import torch

STEP = 1e-6  # of central differences in float64: errors of about 1e-10


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two images of noise in 0..1, always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(*shape, generator=generator), torch.rand(*shape, generator=generator)


def gradient_by_differences(function, x: np.ndarray) -> np.ndarray:
    out = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        ends = []
        for sign in (1, -1):
            moved = x.copy()
            moved[place] += sign * STEP
            ends.append(function(moved))
        out[place] = (ends[0] - ends[1]) / (2 * STEP)
    return out


def assert_is_the_twin(loss, twin, x: torch.Tensor, value=1e-5, gradient=1e-4) -> None:
    """Value and gradient of loss(float32 tensor) against twin(float64 array): float32's rounding apart, relative."""
    x = x.clone().requires_grad_()
    found = loss(x)
    assert found.shape == () and found.dtype == torch.float32
    found.backward()
    exact = x.detach().double().numpy()
    np.testing.assert_allclose(found.item(), twin(exact), rtol=value, atol=value * 1e-2)
    expected = gradient_by_differences(twin, exact)
    apart = np.linalg.norm(x.grad.double().numpy() - expected)
    assert apart <= gradient * np.linalg.norm(expected), (apart, np.linalg.norm(expected))


def ssim(x: np.ndarray, y: np.ndarray, size: int = 11, sigma: float = 1.5, peak: float = 1.0):
    """[N] of [N,H,W,C], window by window."""
    place = np.arange(size) - size // 2
    row = np.exp(-(place**2) / (2 * sigma**2))
    weight = np.outer(row, row) / row.sum() ** 2
    N, H, W, C = x.shape
    c1, c2, out = (0.01 * peak) ** 2, (0.03 * peak) ** 2, []
    for n in range(N):
        values = []
        for i, j, c in np.ndindex(H - size + 1, W - size + 1, C):
            a, b = (z[n, i : i + size, j : j + size, c] for z in (x, y))
            ma, mb = (weight * a).sum(), (weight * b).sum()
            va, vb = (weight * (a - ma) ** 2).sum(), (weight * (b - mb) ** 2).sum()
            vab = (weight * (a - ma) * (b - mb)).sum()
            luminance = (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
            values.append(luminance * (2 * vab + c2) / (va + vb + c2))
        out.append(np.mean(values))
    return np.array(out)


def edges(tri) -> list[tuple[int, int]]:
    return sorted({(min(e), max(e)) for t in tri for e in zip(t, t[1:] + t[:1]) if e[0] != e[1]})


def laplacian_smoothing(pos, tri, method, squared=False, angles=None) -> float:
    """`angles`: positions that the cotangents are taken of; None: pos."""
    total, pull = np.zeros(len(pos)), np.zeros((len(pos), 3))
    for i, j in edges(tri):
        weight = (
            1.0 if method == "uniform" else cotangents(pos if angles is None else angles, tri, i, j)
        )
        for a, b in ((i, j), (j, i)):
            total[a] += abs(weight)
            pull[a] += weight * (pos[b] - pos[a])
    far = [np.linalg.norm(p / t) if t else 0.0 for p, t in zip(pull, total)]
    return float(np.mean(np.square(far) if squared else far))


def cotangents(pos, tri, i: int, j: int) -> float:
    """Half the sum over the triangles on the edge i j of the cotangent of the angle opposite."""
    out = 0.0
    for t in tri:
        if i in t and j in t and len(set(t)) == 3:
            (k,) = set(t) - {i, j}
            u, v = pos[i] - pos[k], pos[j] - pos[k]
            angle = math.acos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
            out += 0.5 / math.tan(angle)
    return out


def normal_consistency(pos, tri, squared=False) -> float:
    """Of triangles that are turned alike."""
    normals = [np.cross(pos[b] - pos[a], pos[c] - pos[a]) for a, b, c in tri]
    normals = [n / np.linalg.norm(n) for n in normals]
    values = []
    for i, j in edges(tri):
        on = [n for n, t in zip(normals, tri) if i in t and j in t]
        if len(on) == 2:
            values.append(1 - on[0] @ on[1])
    return float(np.mean(np.square(values) if squared else values))


def edge_loss(pos, tri, target) -> float:
    lengths = np.array([np.linalg.norm(pos[i] - pos[j]) for i, j in edges(tri)])
    return float(np.mean((lengths - (lengths.mean() if target == "mean" else target)) ** 2))
