"""Every kind of mask that people have gives the object, or is refused with what was found."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from glrast.fit.masks import read_mask
from tests.fit.discs import H, W, coloured, disc, on, palette, save


def with_alpha(colour: np.ndarray, alpha) -> np.ndarray:
    return np.concatenate([colour, np.broadcast_to(alpha, (H, W))[..., None]], 2).astype(np.uint8)


WHITE = np.full((H, W, 3), 255, np.uint8)
PHOTO = np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8)
BINARY = {
    "grey": on(255),
    "grey 0 and 1": on(1),
    "grey 0 and 2": on(2),
    "grey 0 and 128": on(128),
    "boolean": Image.fromarray(disc()),
    "16 bits": on(65535, dtype=np.uint16),
    "16 bits 0 and 1": on(1, dtype=np.uint16),
    "16 bits 0 and 255": on(255, dtype=np.uint16),
    "white": coloured((255, 255, 255)),
    "rgb 0 and 1": coloured((1, 1, 1)),
    "green": coloured((0, 255, 0)),
    "dark green": coloured((0, 128, 0)),
    "purple": coloured((128, 0, 128)),
    "opaque white": with_alpha(coloured((255, 255, 255)), 255),
    "opaque green": with_alpha(coloured((0, 255, 0)), 255),
    "cut-out": with_alpha(PHOTO, on(255)),
    "white cut-out": with_alpha(WHITE, on(255)),
    "half transparent white": with_alpha(coloured((255, 255, 255)), 128),
    "grey and opaque": Image.merge("LA", [Image.fromarray(on(255)), Image.new("L", (W, H), 255)]),
    "grey and alpha": Image.merge("LA", [Image.new("L", (W, H), 7), Image.fromarray(on(255))]),
    "palette of labels": palette({1: (128, 0, 0)}, on(1)),
    "palette with label 15": palette({15: (192, 128, 128)}, on(15)),
    "palette, white first": palette({0: (255, 255, 255), 1: (0, 0, 0)}, on(0, 1)),
    "palette, black second": palette({0: (0, 200, 0), 1: (0, 0, 0)}, on(0, 1)),
    "palette, grey ramp 0 and 1": palette({k: (k, k, k) for k in range(256)}, on(1)),
    "palette, coloured background": palette({0: (9, 9, 60), 1: (200, 0, 0)}, on(1)),
    "palette, labels 3 and 5": palette({3: (9, 9, 60), 5: (200, 0, 0)}, on(3, 5)),
}


@pytest.mark.parametrize("kind", BINARY)
def test_a_mask_of_two_values_is_255_on_the_object_and_0_elsewhere(tmp_path, kind):
    mask = read_mask(save(tmp_path / "m.png", BINARY[kind]))
    assert mask.shape == (H, W)
    assert ((mask > 0) == disc()).all(), kind
    assert (mask[disc()] == np.iinfo(mask.dtype).max).all(), kind


def test_a_palette_with_a_transparent_colour_is_a_cut_out(tmp_path):
    image = palette(
        {0: (90, 30, 200), 1: (90, 30, 201), 2: (5, 5, 5)}, on(1) + (np.arange(W) % 2) * on(1)
    )
    mask = read_mask(save(tmp_path / "m.png", image, transparency=0))
    assert ((mask == 255) == disc()).all() and ((mask == 0) == ~disc()).all()


def soft() -> np.ndarray:
    return np.asarray(Image.fromarray(on(255)).filter(ImageFilter.GaussianBlur(1)))


@pytest.mark.parametrize(
    "kind", ["grey", "white", "green", "palette", "16 bits", "alpha", "opaque", "8 bits in 16"]
)
def test_soft_edges_stay_soft(tmp_path, kind):
    zero = np.zeros((H, W), np.uint8)
    image = {
        "grey": soft(),
        "white": np.stack([soft()] * 3, 2),
        "green": np.stack([zero, soft(), zero], 2),
        "palette": palette({k: (k, k, k) for k in range(256)}, soft()),
        "16 bits": soft().astype(np.uint16) * 257,
        "8 bits in 16": soft().astype(np.uint16),
        "alpha": with_alpha(PHOTO, soft()),
        "opaque": with_alpha(np.stack([soft()] * 3, 2), 255),
    }[kind]
    mask = read_mask(save(tmp_path / "m.png", image))
    found = mask.astype(float) / np.iinfo(mask.dtype).max * 255
    assert np.abs(found - soft()).max() <= 1.5


@pytest.mark.parametrize("kind", ["grey", "white", "green"])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_jpeg_masks_have_noise_near_black_and_white(tmp_path, kind, suffix):
    truth = disc(170, 330)
    plane = np.where(truth, 255, 0).astype(np.uint8)
    planes = {
        "grey": plane,
        "white": np.stack([plane] * 3, 2),
        "green": np.stack([0 * plane, plane, 0 * plane], 2),
    }
    path = save(tmp_path / "m.jpg", planes[kind], quality=75)
    if suffix == ".png":  # noise stays when a JPEG is saved as PNG
        path = save(tmp_path / "m.png", Image.open(path))
    wrong = (read_mask(path) > 127) != truth
    assert wrong.sum() <= (
        0 if kind != "green" else 40
    )  # at the outline, where chroma has half the pixels


LABELS = np.where(disc(), 15, np.arange(W) // 12)
REFUSED = {
    "labels in grey": (LABELS.astype(np.uint8), "two values; found up to 15 of 255: 0, 1, 2, 15"),
    "labels in 16 bits": (LABELS.astype(np.uint16) * 9, "two values; found up to 135 of 255: 0, 9, 18, 135"),
    "labels and void": (np.where(LABELS == 2, 255, LABELS).astype(np.uint8), "found up to 255 of 255: 0, 1, 15, 255"),
    "percent": ((soft() * (100 / 255)).astype(np.uint8), "two values; found up to 100 of 255"),
    "palette of labels": (
        palette({1: (128, 0, 0), 2: (0, 128, 0), 15: (192, 128, 128)}, LABELS),
        r"two labels of its palette; found 4 labels: 0 \(0, 0, 0\), 1 \(128, 0, 0\)",
    ),
    "one hue of labels": (palette({1: (128, 0, 0), 2: (64, 0, 0), 15: (192, 0, 0)}, LABELS), "found 4 labels"),
    "colours": (coloured((255, 0, 0), (0, 0, 255)), r"two colours; found colours of more than one hue.*\(255, 0, 0\)"),
    "a photograph": (PHOTO, "colours; found colours of more than one hue"),
    "red on white": (coloured((255, 0, 0), (255, 255, 255)), "colours; found colours of more than one hue"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_other_masks_are_refused_with_what_was_found(tmp_path, kind):
    image, message = REFUSED[kind]
    with pytest.raises(
        ValueError, match=rf"^glrast fit: the mask .*m\.png must be black and white.*{message}"
    ):
        read_mask(save(tmp_path / "m.png", image))


@pytest.mark.parametrize("mode", ["F", "I"])
def test_floating_and_huge_numbers_are_refused_by_name(tmp_path, mode):
    values = disc().astype(np.float32) if mode == "F" else disc().astype(np.int32) * 70000
    found = "floating point numbers" if mode == "F" else "integers from 0 to 70000"
    with pytest.raises(ValueError, match=rf"m\.tif must be one picture.*found .*{found}"):
        read_mask(save(tmp_path / "m.tif", values))


def random_mask(generator: np.random.Generator) -> tuple[Image.Image, str, np.ndarray]:
    """A mask of a random kind, the suffix for it, and where the object is."""
    y, x = np.mgrid[:24, :36]
    cy, cx, r = generator.uniform(6, 18), generator.uniform(8, 28), generator.uniform(3, 6)
    truth = (y - cy) ** 2 + (x - cx) ** 2 < r * r
    kind = generator.integers(7)
    value = int(generator.choice([1, 2, 3, 100, 128, 200, 254, 255]))
    colour = generator.integers(40, 256, 3) * (generator.random(3) < 0.5)
    colour = colour if colour.max() > 0 else np.array([0, 255, 0])
    plain = np.where(truth, value, 0).astype(np.uint8)
    if kind == 0:
        return Image.fromarray(plain), ".png", truth
    if kind == 1:
        return Image.fromarray(np.where(truth, 255, 0).astype(np.uint8)), ".jpg", truth
    if kind == 2:
        return (
            Image.fromarray(np.where(truth[..., None], colour, 0).astype(np.uint8)),
            ".png",
            truth,
        )
    if kind == 3:
        label = int(generator.integers(1, 256))
        return palette({label: tuple(map(int, colour))}, np.where(truth, label, 0)), ".png", truth
    if kind == 4:
        rgba = np.concatenate(
            [generator.integers(0, 256, (24, 36, 3)), np.where(truth, 255, 0)[..., None]], 2
        )
        return Image.fromarray(rgba.astype(np.uint8)), ".png", truth
    if kind == 5:
        return (
            Image.fromarray(plain.astype(np.uint16) * int(generator.choice([1, 257]))),
            ".png",
            truth,
        )
    return Image.fromarray(truth), generator.choice([".png", ".tif", ".bmp"]), truth


@pytest.mark.parametrize("seed", range(5))
def test_masks_of_random_kinds_give_the_object(tmp_path, seed):
    generator = np.random.default_rng(seed)
    for k in range(40):
        image, suffix, truth = random_mask(generator)
        path = save(tmp_path / f"{k}{suffix}", image)
        mask = read_mask(path)
        assert ((mask > np.iinfo(mask.dtype).max // 2) != truth).sum() <= (
            4 if suffix == ".jpg" else 0
        ), path


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("seed", range(5))
def test_damaged_masks_are_read_or_refused_with_their_name(tmp_path, seed):
    generator = np.random.default_rng(100 + seed)
    refused = 0
    for k in range(40):
        image, suffix, _ = random_mask(generator)
        path = save(tmp_path / f"{k}{suffix}", image)
        content = bytearray(path.read_bytes())
        if generator.random() < 0.5:
            content = content[: generator.integers(len(content))]
        for _ in range(generator.integers(1, 6)):
            if content:
                content[generator.integers(len(content))] = generator.integers(256)
        path.write_bytes(content)
        try:
            assert read_mask(path).ndim == 2
        except ValueError as error:
            assert str(error).startswith("glrast fit: ") and path.name in str(error)
            refused += 1
    assert refused > 5
