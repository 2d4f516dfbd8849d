"""tests/reference/visibility/edges_by_points.py: more samples come nearer to the exact derivative."""

import pytest
import torch

from tests.ops.compare import difference
from tests.reference.visibility import edges_by_points
from tests.visibility import crowded
from tests.visibility import discontinuities as kinds


@pytest.mark.slow
@pytest.mark.parametrize("name", ["silhouette", "flat_crease", "polygons20_1", "leaving"])
def test_more_samples_come_nearer_to_the_exact_derivative(name):
    kind, weights = crowded.ALL[name](), [kinds.smooth_weight(), kinds.noise_weight()]
    entries = kinds.entries_of(kind, 8)
    exact = kinds.exact_gradient(kind, entries, weights)
    arrays = kind.pos.double(), kind.tri, kind.corners.double(), [w[0] for w in weights]
    at = tuple(torch.tensor(entries).T)
    few, many = (
        [difference(g[at], e).l2 for g, e in zip(edges_by_points.gradients(*arrays, n), exact)]
        for n in (2_000, 200_000)
    )
    assert many[0] < 0.02 and many[1] < 0.1
    assert sum(many) < 0.4 * sum(few)  # a tenth, in the mean
