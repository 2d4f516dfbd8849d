"""The parts of examples/10_single_view.py: its objects are closed and lit as said, its voxels are counted by hand, its
network draws what it is given. (That it learns, tests/test_examples.py finds.)"""

import importlib
import sys
from pathlib import Path

import pytest
import torch

import glrast
from glrast.clip import cube, is_closed, is_oriented

FOLDER = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(autouse=True, scope="module")
def parts():
    """The example's own modules, found as the example finds them."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def part(name):
    return importlib.import_module(f"single_view.{name}")


def context():
    return glrast.Context("cpu", output_db=False)


@pytest.mark.parametrize("family", ["airplane", "chair", "mug", "table"])
def test_objects_are_closed_seen_from_outside_and_within_the_voxels(family):
    objects = part("objects")
    for seed in range(8):
        pos, tri, color = objects.make(family, seed)
        assert color.shape == (len(tri), 3) and 0 < color.min() and color.max() < 1
        assert is_closed(tri) and is_oriented(tri)
        assert pos.abs().max() < 0.56
        corners = pos[tri].double()
        volume = torch.linalg.det(corners).sum() / 6
        assert volume > 0  # counter-clockwise seen from outside


def test_an_object_is_the_same_every_time_and_another_seed_is_another_object():
    make = part("objects").make
    assert all(torch.equal(a, b) for a, b in zip(make("mug", 3), make("mug", 3)))
    assert not torch.equal(make("mug", 3)[0], make("mug", 4)[0])


def test_voxels_of_a_box_are_those_whose_centres_it_holds():
    pos, tri = cube()
    box = pos * torch.tensor([4, 2, 3]) / 32 + torch.tensor([0.125, 0.0, -0.25])  # 8 x 4 x 6 voxels
    filled = part("pictures").voxels(context(), box[None], tri)[0]
    expected = torch.zeros(32, 32, 32, dtype=torch.bool)
    expected[14:18, 16:24, 21:27] = (
        True  # rows from below, columns from the left, depth from the front: z = 0.5 first
    )
    assert torch.equal(filled, expected)


def test_voxels_of_overlapping_solids_are_their_union_and_inside_out_counts():
    pos, tri = cube()
    voxels, ctx = part("pictures").voxels, context()
    one, other = pos * 0.125, pos * 0.125 + 0.0625
    both = torch.cat([one, other])[None]
    union = voxels(ctx, both, torch.cat([tri, tri + 8]))
    assert torch.equal(union, voxels(ctx, one[None], tri) | voxels(ctx, other[None], tri))
    assert int(union.sum()) == 2 * 8**3 - 6**3
    assert torch.equal(voxels(ctx, one[None], tri.flip(1)), voxels(ctx, one[None], tri))


def test_a_photograph_is_the_object_in_the_middle_over_the_background():
    pictures = part("pictures")
    pos, tri = cube()
    matrix = pictures.camera(0.0, 0.0)[None]
    color = torch.tensor([[0.2, 0.4, 0.6]]).expand(8, 3).contiguous()
    rgba = pictures.photographs(context(), 0.2 * pos, tri, color, tri, matrix, 17)[0]
    assert rgba.dtype == torch.uint8 and rgba.shape == (17, 17, 4)
    assert rgba[8, 8].tolist() == [51, 102, 153, 255]
    assert rgba[0, 0].tolist() == [255, 255, 255, 0]
    # half of the front is 0.2 of (2.3 - 0.2) tan(15 degrees) = 0.5627: it covers 0.355 of the image along each axis
    assert (rgba[..., 3].double() / 255).mean() == pytest.approx(0.3554**2, abs=0.01)


def test_the_untrained_network_is_nearly_the_template_and_each_family_may_have_a_shape_of_its_own():
    network = part("network")
    torch.manual_seed(0)
    net = network.Reconstruction(16)
    color, alpha = torch.rand(3, 16, 16, 4).split([3, 1], 3)
    pos, color = net(torch.cat([alpha * color + 1 - alpha, alpha], 3))
    assert pos.shape == color.shape == (3, 642, 3) and net.tri.shape == (1280, 3)
    assert (pos - net.template).abs().max() < 0.1 and 0 < color.min() and color.max() < 1
    mean, _ = network.Reconstruction(16, families=4)(torch.tensor([0, 1, 0]))
    assert torch.equal(mean[0], mean[2]) and not torch.equal(mean[0], mean[1])


def test_the_palette_of_an_object_of_one_colour_is_that_colour_without_the_background():
    network = part("network")
    torch.manual_seed(0)
    picture = torch.ones(2, 16, 16, 4) * torch.tensor([1, 1, 1, 0.0])
    picture[0, 5:9, 3:12] = torch.tensor([0.2, 0.5, 0.7, 1])
    picture[0, 9, 3:12] = torch.tensor([0.6, 0.75, 0.85, 0.5])  # half covered
    colors = network.Palette(7)(torch.rand(2, 512), picture)  # the second picture is empty
    assert torch.allclose(colors[0], torch.tensor([0.2, 0.5, 0.7]).expand(7, 3), atol=1e-5)
    assert torch.isfinite(colors).all()


def test_what_equals_the_truth_measures_one_and_no_difference():
    """A network that returns a cube, on photographs of it."""
    pictures, measure = part("pictures"), part("measure")
    pos, tri = cube()
    pos, ctx = 0.25 * pos, context()
    color = torch.full((8, 3), 0.2)
    matrix = pictures.random_cameras(3, torch.Generator().manual_seed(0))
    rgba = pictures.photographs(ctx, pos, tri, color, tri, matrix, 33)
    held_out = pictures.Pictures(
        rgba.expand(4, -1, -1, -1, -1), matrix.expand(4, -1, -1, -1), torch.arange(4),
        pictures.voxels(ctx, pos[None], tri).expand(4, -1, -1, -1),
    )  # fmt: skip
    found = measure.measure(ctx, Known(pos, tri, color), held_out)
    assert found["voxel"].tolist() == [1, 1, 1, 1]
    assert (
        found["mask"].min() > 0.97
    )  # a pixel of the rim may be more than half covered off its centre
    assert found["color"].max() < 0.02  # the rim's softness
    wrong = measure.measure(ctx, Known(0.5 * pos, tri, color), held_out)
    assert wrong["voxel"].tolist() == [0.125] * 4 and wrong["mask"].max() < 0.5


class Known(torch.nn.Module):
    def __init__(self, pos, tri, color):
        super().__init__()
        self.pos, self.tri, self.color = pos, tri, color

    def given(self, pictures, object, view):
        return object

    def forward(self, object):
        return self.pos.expand(len(object), -1, -1), self.color.expand(len(object), -1, -1)


def test_the_table_has_means_over_seeds_and_half_of_their_range():
    compare = part("compare")
    runs = [
        {
            "scores": {k: torch.full((4,), v) for k in ("mask", "voxel", "color")},
            "seconds": 60.0 * s,
        }
        for v, s in ((0.5, 1), (0.75, 3))
    ]
    row = compare.row("nmr", runs)
    assert row.startswith("| nmr | 0.625 ± 0.125 |") and row.endswith("| 0.6250 ± 0.1250 | 2.0 |")
    assert compare.row("nmr", runs[:1]).startswith("| nmr | 0.500 |")
