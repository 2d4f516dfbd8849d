"""What channel 3 of rast says: written and read back, small ids and large ones."""

import torch

import glrast
from glrast.core.rast import channel_of


def test_every_id_is_read_back_as_it_was_written():
    ids = torch.tensor([-1, 0, 1, 2**24 - 2, 2**24 - 1, 2**24, 2**24 + 1, 2**29], dtype=torch.int32)
    rast = torch.zeros(len(ids), 4)
    rast[:, 3] = channel_of(ids)
    assert torch.equal(glrast.triangle_id(rast), ids)
    assert rast[:3, 3].tolist() == [0.0, 1.0, 2.0]  # plain numbers, as everybody reads them
