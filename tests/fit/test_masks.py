"""Every kind of mask that people have gives the object, or is refused with what was found."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from glrast.fit.images import read_image
from glrast.fit.masks import read_mask

H, W = 17, 33


def disc(height: int = H, width: int = W) -> np.ndarray:
    """bool [H,W]: an object, not in the middle, clear of the border."""
    y, x = np.mgrid[:height, :width]
    return (y - 7 * height / 17) ** 2 + (x - 20 * width / 33) ** 2 < (5 * height / 17) ** 2


def palette(colours: dict[int, tuple[int, int, int]], index: np.ndarray) -> Image.Image:
    image = Image.fromarray(index.astype(np.uint8))
    table = [0] * 768
    for label, colour in colours.items():
        table[3 * label : 3 * label + 3] = colour
    image.putpalette(table)
    return image


def save(path: Path, image: Image.Image | np.ndarray, **how) -> Path:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **how)
    return path


def on(value: int, off: int = 0, dtype=np.uint8) -> np.ndarray:
    return np.where(disc(), value, off).astype(dtype)


def coloured(colour, background=(0, 0, 0)) -> np.ndarray:
    return np.where(disc()[..., None], colour, background).astype(np.uint8)


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


def picture(folder: Path, size=(H, W), name: str = "a.png", **how) -> Path:
    return save(folder / name, np.full((*size, 3), 200, np.uint8), **how)


def test_an_inverted_mask_is_turned_over(tmp_path):
    image, mask = picture(tmp_path), save(tmp_path / "m.png", 255 - on(255))
    found = read_image(image, mask, invert_mask=True).flip(0)[..., 3].numpy()
    assert ((found == 255) == disc()).all() and ((found == 0) == ~disc()).all()


@pytest.mark.parametrize("scale", [0.5, 2, 3])
def test_a_mask_of_the_same_aspect_is_scaled(tmp_path, scale):
    size = (2 * H, 2 * W)
    drawn = disc(round(2 * H * scale), round(2 * W * scale))
    mask = save(tmp_path / "m.png", np.where(drawn, 255, 0).astype(np.uint8))
    found = read_image(picture(tmp_path, size), mask).flip(0)[..., 3].numpy()
    assert found.shape == size
    assert ((found > 127) != disc(*size)).mean() < 0.02


@pytest.mark.parametrize(
    "size", [(H, W - 1), (H - 1, W - 1), (W, H), (H // 2, W), (1, 1), (H + 1, W + 1)]
)
def test_a_mask_of_another_aspect_or_cut_differently_is_refused(tmp_path, size):
    mask = save(tmp_path / "m.png", np.full(size, 255, np.uint8))
    with pytest.raises(
        ValueError,
        match=rf"m\.png must have the size of .*a\.png, 33x17, .*; found {size[1]}x{size[0]}",
    ):
        read_image(picture(tmp_path), mask)


def test_a_mask_goes_before_the_pictures_own_alpha(tmp_path):
    image = save(tmp_path / "a.png", with_alpha(PHOTO, 255 - on(255)))
    mask = save(tmp_path / "m.png", on(255))
    found = read_image(image, mask).flip(0)[..., 3].numpy()
    assert ((found == 255) == disc()).all()


def test_an_empty_mask_says_how_empty(tmp_path):
    image = picture(tmp_path)
    for value in (0, 1, 127):
        mask = save(tmp_path / "m.png", np.full((H, W), value, np.uint8))
        with pytest.raises(ValueError, match=rf"a\.png is empty .*largest value is {value} of 255"):
            read_image(image, mask)


# Of a half turn or a mirror the size does not tell which of the two was turned.
TURNS = [
    (o, p, m) for o in range(2, 9) for p in (False, True) for m in (False, True) if o >= 5 or p == m
]


@pytest.mark.parametrize("orientation, turned_picture, turned_mask", TURNS)
def test_mask_and_picture_meet_whichever_of_them_was_turned(
    tmp_path, orientation, turned_picture, turned_mask
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(
        np.where(disc()[..., None], (250, 250, 250), (5, 5, 5)).astype(np.uint8)
    )
    stored.save(tmp_path / "a.png", exif=exif)
    viewed = Image.open(tmp_path / "a.png")
    viewed = ImageOps.exif_transpose(viewed)
    mask = (viewed if turned_mask else stored).convert("L").point(lambda v: 255 if v > 127 else 0)
    path = save(tmp_path / "m.png", mask)
    found = read_image(
        tmp_path / "a.png", path, orientation=orientation if turned_picture else 1
    ).flip(0)
    expected = np.asarray((viewed if turned_picture else stored).convert("L")) > 127
    assert ((found[..., 3].numpy() == 255) == expected).all()
    assert ((found[..., 0].numpy() == 250) == expected).all()


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
