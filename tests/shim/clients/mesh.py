"""A lumpy sphere on 'cuda', and a camera for it: what the programs beside this one draw."""

import torch


def sphere(rows=12, columns=16):
    """(vertices [V,3], faces int64 [F,3])."""
    v = torch.linspace(0, torch.pi, rows, device="cuda")
    u = torch.arange(columns, device="cuda") * (2 * torch.pi / columns)
    v, u = torch.meshgrid(v, u, indexing="ij")
    at = torch.stack([v.sin() * u.cos(), v.cos(), v.sin() * u.sin()], -1).reshape(-1, 3)
    i = torch.arange((rows - 1) * columns, device="cuda").reshape(rows - 1, columns)
    j = i.roll(-1, 1)
    faces = torch.stack([i, i + columns, j, j, i + columns, j + columns], -1).reshape(-1, 3)
    return at * 0.6, faces


def perspective(near=0.1, far=10.0, f=1.5):
    a, b = -(far + near) / (far - near), -2 * far * near / (far - near)
    return torch.tensor([[f, 0, 0, 0], [0, f, 0, 0], [0, 0, a, b], [0, 0, -1, 0]], device="cuda")


def view(angle=0.3, distance=2.5):
    c, s = torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))
    matrix = torch.eye(4)
    matrix[0, 0], matrix[0, 2], matrix[2, 0], matrix[2, 2] = c, s, -s, c
    matrix[2, 3] = -distance
    return matrix.to(torch.device("cuda:0"))


def with_one(vertices):
    return torch.nn.functional.pad(vertices, (0, 1), value=1.0)
