"""What soft renderers are given is checked before a kernel reads it: every part of near has id's shape."""

import pytest
import torch

import glrast
from glrast import visibility
from glrast.visibility import NearestFaces


@pytest.fixture
def near(context):
    pos = torch.tensor([[[-0.8, -0.8, 0, 1], [0.8, -0.8, 0, 1], [0, 0.8, 0, 1.0]]])
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    return visibility.nearest_faces(context, pos, tri, (8, 8), 2, 3.0)


COLORS = torch.rand(1, 8, 8, 2, 3)
READERS = {
    "softras": lambda near: visibility.softras(near, COLORS),
    "gendr": lambda near: visibility.gendr(near, COLORS),
    "sigmoid_alpha": lambda near: visibility.sigmoid_alpha(near, COLORS),
    "hard": lambda near: visibility.hard(near, COLORS),
    "rast_of": visibility.rast_of,
    "derivatives_of": lambda near: visibility.derivatives_of(
        near, torch.rand(1, 3, 4), torch.tensor([[0, 1, 2]])
    ),
    "shade_faces": lambda near: visibility.shade_faces(
        torch.rand(3, 3), near, torch.tensor([[0, 1, 2]])
    ),
    "shade_surfaces": lambda near: visibility.shade_surfaces(torch.rand(1, 1, 3), near),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda near: near._replace(z=near.z[..., :1]), r"near\.z must be \[1,8,8,2\] like near"),
        (lambda near: near._replace(dist2=near.dist2[0]), r"near\.dist2 must be \[1,8,8,2\] like"),
        (lambda near: near._replace(bary=near.bary[..., :2]), r"near\.bary must be \[1,8,8,2,3\]"),
        (lambda near: near._replace(z=near.z.int()), r"near\.z must be float32; got int32"),
        (lambda near: near._replace(id=near.id.long()), r"near\.id must be int32; got int64"),
        (lambda near: near._replace(id=near.id[0]), r"near\.id must be \[N,H,W,K\] with K from 1"),
        (lambda near: NearestFaces(*(part[:, :, :, :0] for part in near)), "with K from 1"),
        (lambda near: tuple(near), "near must be what glrast.visibility.nearest_faces returns"),
        (lambda near: None, "near must be what glrast.visibility.nearest_faces returns"),
    ],
)
def test_a_near_whose_parts_do_not_fit_is_refused_by_name(near, reader, change, says):
    with pytest.raises((TypeError, ValueError), match=f"glrast.visibility.{reader}: .*{says}"):
        READERS[reader](change(near))


@pytest.mark.parametrize("reader", ["softras", "gendr"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"znear": "near"}, "znear must be a number"),
        ({"zfar": None}, "zfar must be a number"),
        ({"zfar": float("nan")}, "zfar must be a finite number"),
        ({"znear": 1.0, "zfar": 1.0}, "zfar must be another number than znear; got 1.0 for both"),
        ({"eps": float("inf")}, "eps must be a finite number"),
    ],
)
def test_depths_that_are_no_range_are_refused_by_name(near, reader, options, says):
    with pytest.raises((TypeError, ValueError), match=f"glrast.visibility.{reader}: {says}"):
        getattr(visibility, reader)(near, COLORS, **options)


@pytest.mark.parametrize("count", [0, -1, "x", 1.5])
def test_a_face_count_that_counts_nothing_is_refused(near, count):
    with pytest.raises(ValueError, match="softras: face_count must be a whole number from 1"):
        visibility.softras(near, COLORS, alpha="sum", face_count=count)


def test_double_precision_has_no_kernel_in_softras_and_it_says_so(near):
    with pytest.raises(TypeError, match=r"softras: near\.dist2 must be float32; got float64"):
        visibility.softras(near._replace(dist2=near.dist2.double()), COLORS)


def test_edge_sampling_refuses_a_generator_that_is_none(context):
    pos = torch.tensor([[[-0.8, -0.8, 0, 1], [0.8, -0.8, 0, 1], [0, 0.8, 0, 1.0]]])
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    rast, _ = glrast.rasterize(context, pos, tri, (4, 4))
    with pytest.raises(TypeError, match="edge_sampling: generator must be a torch.Generator or"):
        visibility.edge_sampling(rast[..., :3].contiguous(), rast, pos, tri, generator=0)


@pytest.mark.parametrize("name", visibility.NAMES)
def test_an_image_without_channels_is_an_image(context, name):
    pos = torch.tensor([[[-0.8, -0.8, 0, 1], [0.8, -0.8, 0, 1], [0, 0.8, 0, 1.0]]])
    tri = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    image = visibility.render(
        name, context, pos, tri, lambda rast, db, tri: rast[..., :0].contiguous(), (8, 8)
    )
    assert image.shape == (1, 8, 8, 0)


def test_a_wrong_resolution_is_told_in_few_words(context):
    pos, tri = torch.rand(1, 3, 4), torch.tensor([[0, 1, 2]], dtype=torch.int32)
    with pytest.raises(ValueError) as error:
        glrast.rasterize(context, pos, tri, torch.rand(64, 64, 2))
    assert len(str(error.value)) < 200 and "[64,64,2]" in str(error.value)
