"""Sparse matrices by rows, as PyTorch multiplies them fastest."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def by_rows(columns: Tensor, values: Tensor, width: int) -> Tensor:
    """CSR [P,width] of up to K entries a row: columns int64 [P,K], values [P,K]. What is 0 is left out, what meets in
    one place is added."""
    columns, order = columns.sort(dim=1, stable=True)
    values = values.gather(1, order)
    for k in range(1, columns.shape[1]):
        met = columns[:, k] == columns[:, k - 1]
        values[:, k] += torch.where(met, values[:, k - 1], 0.0)
        values[:, k - 1].masked_fill_(met, 0.0)
    kept = values != 0
    starts = torch.zeros(len(columns) + 1, dtype=torch.int64, device=columns.device)
    torch.cumsum(kept.sum(dim=1), 0, out=starts[1:])
    return csr(starts, columns[kept], values[kept], (len(columns), width))


def by_places(row: Tensor, column: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    """CSR of entries in any order, several of a place added."""
    coo = torch.sparse_coo_tensor(torch.stack([row, column]), values, size, check_invariants=False)
    with _quiet():
        return coo.coalesce().to_sparse_csr()


def transposed(matrix: Tensor) -> Tensor:
    """The transpose of a CSR matrix, by rows too: a product with it then reads in order."""
    starts, columns = matrix.crow_indices(), matrix.col_indices()
    order = torch.argsort(columns, stable=True)
    rows = torch.repeat_interleave(starts.diff())
    counts = torch.bincount(columns, minlength=matrix.shape[1])
    ends = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    height, width = matrix.shape
    return csr(ends, rows[order], matrix.values()[order], (width, height))


def csr(starts: Tensor, columns: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    with _quiet():
        return torch.sparse_csr_tensor(starts, columns, values, size, check_invariants=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the word that this layout is in beta: it was when PyTorch 2.4 came, and is in 2.13."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*[Ss]parse (CSR|invariant)")
        yield
