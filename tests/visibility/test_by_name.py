"""visibility.render: by name what each method's own function gives, the same call for all of them."""

import pytest
import torch

import glrast
from glrast import visibility
from tests import scenes
from tests.ops.compare import on
from tests.scenes import ODD

GREY = torch.tensor([0.2, 0.5, 0.7])
SOFT = ("softras", "sigmoid_alpha", "hard", "gendr", "dibr")
SEED = 3


@pytest.fixture(scope="module")
def context(device):
    return glrast.Context(device)


@pytest.fixture(scope="module")
def mesh(context):
    return on(context, scenes.closed_mesh(1))


def options(name: str, device="cpu") -> dict:
    """As the tests call a method: noise alike in two calls, and some options that are not the defaults."""
    if name == "edge_sampling":
        return dict(generator=torch.Generator(device).manual_seed(SEED), samples_per_edge=8)
    if name == "softras":
        return dict(sigma_pix2=1.0, color="over", faces_per_pixel=4)
    if name == "gendr":
        return dict(tau_pix=0.5, distribution="uniform", t_conorm="max")
    return dict(discontinuities="all") if name == "antialias" else {}


def shade_by(attr):
    def shade(rast, rast_db, tri):
        assert rast.shape == rast_db.shape and rast.shape[3] == 4
        return glrast.interpolate(attr, rast, tri)[0]

    return shade


def by_hand(name, context, pos, tri, attr, behind):
    """[N,H,W,3] over a colour, by the method's own function."""
    how = options(name, pos.device)
    if name.startswith("exact"):

        def shade(rast, _):
            return glrast.interpolate(attr, rast, tri)[0]

        return glrast.render(
            context, pos, tri, ODD, shade, behind, "all" if name == "exact" else "near"
        )
    if name == "rasterize_then_splat":
        layers = glrast.peel(context, pos, tri, ODD, max_layers=2)
        colors = [glrast.interpolate(attr, rast.detach(), tri)[0] for rast, _ in layers]
        return visibility.rasterize_then_splat(layers, colors, pos, tri, behind)
    if name == "dibr":
        image = visibility.dibr(context, pos, tri, ODD, attr)
        covered = glrast.rasterize(context, pos, tri, ODD)[0][..., 3:] > 0
        return torch.where(covered, image[..., :3], behind)
    if name in SOFT:
        reach = {"softras": visibility.softras_reach(ODD, 1.0), "gendr": 0.5, "hard": 0.0}
        wide = visibility.softras_reach(ODD, sigma_ndc=1e-4)
        faces = how.pop("faces_per_pixel", 1 if name == "hard" else 8)
        near = visibility.nearest_faces(context, pos, tri, ODD, faces, reach.get(name, wide))
        colors = visibility.shade_faces(attr, near, tri)
        return getattr(visibility, name)(near, colors, behind, **how)[..., :3]
    size = [2 * s for s in ODD] if name == "nmr" else ODD
    if name == "nmr":
        how = dict(supersample=2, fill_back=True)
    rast, _ = glrast.rasterize(context, pos, tri, size)
    seen = rast.detach() if name in ("opendr", "dirt") else rast
    color = torch.where(rast[..., 3:] > 0, glrast.interpolate(attr, seen, tri)[0], behind)
    function = glrast.antialias if name == "antialias" else getattr(visibility, name)
    return function(color, rast, pos, tri, **how)


def inside(shown):
    """The pixels far from any that shows nothing."""
    far = torch.nn.functional.max_pool2d((~shown).float()[:, None], 9, 1, 4)[:, 0] == 0
    assert far.sum() > 10
    return far


def gradients(image, *inputs):
    weight = torch.sin(torch.arange(image.numel(), device=image.device).reshape(image.shape) * 0.7)
    grads = torch.autograd.grad((image * weight).sum(), inputs, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, grads)]


@pytest.mark.parametrize("name", visibility.NAMES)
def test_a_name_gives_image_and_gradients_of_its_own_function(context, mesh, name):
    pos, tri, attr = mesh
    pos = (pos * pos.new_tensor([[[1, 1, 1, 1]], [[0.7, 0.9, 1, 1]]])).requires_grad_()
    attr, behind = attr.clone().requires_grad_(), GREY.to(pos).requires_grad_()
    image = visibility.render(
        name, context, pos, tri, shade_by(attr), ODD, behind, **options(name, pos.device)
    )
    wanted = by_hand(name, context, pos, tri, attr, behind)
    assert image.shape == (2, *ODD, 3)
    torch.testing.assert_close(image, wanted, rtol=0, atol=1e-6)
    found = gradients(image, pos, attr, behind)
    for given, right in zip(found, gradients(wanted, pos, attr, behind)):
        size = right.abs().max()
        torch.testing.assert_close(given, right, rtol=0, atol=float(1e-5 * size))
    assert all(grad.any() for grad in found)


@pytest.mark.parametrize("name", visibility.NAMES)
def test_alpha_is_the_mask_and_moves_with_the_mesh(context, mesh, name):
    pos, tri, attr = mesh
    pos = pos.clone().requires_grad_()
    how = options(name, pos.device)
    both = visibility.render(name, context, pos, tri, shade_by(attr), ODD, alpha=True, **how)
    alone = visibility.render(
        name, context, pos, tri, shade_by(attr), ODD, **options(name, pos.device)
    )
    assert both.shape == (1, *ODD, 4) and torch.allclose(both[..., :3], alone, atol=1e-6)
    mask = both[..., 3]
    shown = glrast.rasterize(context, pos.detach(), tri, ODD)[0][..., 3] > 0
    assert mask.min() >= -1e-6 and mask.max() <= 1 + 1e-5
    assert abs(mask.sum() / shown.sum() - 1) < 0.2
    if name not in ("softras", "gendr"):  # which are soft at the edges of every face
        assert (mask[inside(shown)] > 0.97).all()
    if name != "hard":
        # growing by x and y makes the mask larger (sigmoid_alpha, softras: of all their faces)
        (grad,) = torch.autograd.grad(mask.sum(), pos, retain_graph=True)
        assert (grad * pos)[..., :2].sum() > 0
    (only,) = torch.autograd.grad(both[..., :3].sum(), pos, retain_graph=True)
    (same,) = torch.autograd.grad(alone.sum(), pos)
    assert torch.allclose(only, same, atol=1e-4 * float(same.abs().max()))


@pytest.mark.parametrize("name", visibility.NAMES)
def test_ranges_are_images_of_parts_of_the_mesh(context, mesh, name):
    pos, tri, attr = mesh
    V, T = len(attr), len(tri)
    both = torch.cat([pos[0], pos[0] * pos.new_tensor([0.6, 0.8, 1, 1])])
    how = dict(resolution=ODD, background=GREY.to(pos), alpha=True)
    made = visibility.render(
        name, context, both, torch.cat([tri, tri + V]), shade_by(torch.cat([attr, 1 - attr])),
        ranges=[[0, T], [T, T]], **how, **options(name, pos.device),
    )  # fmt: skip
    for image, at, colors in zip(made, both.split(V), (attr, 1 - attr)):
        alone = visibility.render(
            name, context, at[None], tri, shade_by(colors), **how, **options(name, pos.device)
        )
        torch.testing.assert_close(image, alone[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", visibility.NAMES)
def test_where_nothing_is_the_background_is_seen(context, name):
    pos, tri, attr = on(context, scenes.one_triangle(1))
    picture = torch.rand(*ODD, 3, generator=torch.Generator().manual_seed(1)).to(pos)
    for away in (pos + pos.new_tensor([99.0, 0.0, 0.0, 0.0]), pos):
        triangles = tri if away is not pos else tri[:0]
        image = visibility.render(
            name, context, away, triangles, shade_by(attr), ODD, picture, alpha=True
        )
        assert torch.allclose(image[0, ..., :3], picture) and not image[..., 3].any()
    bare = visibility.render(name, context, pos, tri[:0], lambda r, *_: r[..., :3] + 1, ODD)
    assert not bare.any()  # not what shade returns for no triangle


@pytest.mark.parametrize("name", visibility.NAMES)
def test_mipmapped_textures_are_shaded_alike(context, mesh, name):
    pos, tri, _ = mesh
    uv = 0.5 + 0.5 * pos[0, :, :2].contiguous()
    texture = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(2)).to(pos)
    texture.requires_grad_()

    def shade(rast, rast_db, tri):
        at, da = glrast.interpolate(uv, rast, tri, rast_db, "all")
        return glrast.texture(texture, at, da, filter_mode="linear-mipmap-linear")

    image = visibility.render(name, context, pos, tri, shade, ODD)
    (grad,) = torch.autograd.grad(image.sum(), texture)
    exact = visibility.render("exact", context, pos, tri, shade, ODD)
    shown = inside(glrast.rasterize(context, pos, tri, ODD)[0][..., 3] > 0)
    assert grad.any() and (image - exact)[shown].abs().mean() < 0.06


HOSTILE = ("degenerate", "non_finite", "index_out_of_range", "behind_camera", "no_vertices")


@pytest.mark.parametrize("scene", HOSTILE)
@pytest.mark.parametrize("name", visibility.NAMES)
def test_hostile_meshes_are_drawn_or_not_and_finite(context, name, scene):
    pos, tri, attr = on(context, getattr(scenes, scene)())
    pos = pos[None].clone().requires_grad_()
    image = visibility.render(name, context, pos, tri, shade_by(attr), ODD, alpha=True)
    assert torch.isfinite(image).all()
    if image.requires_grad:
        (grad,) = torch.autograd.grad(image.sum(), pos, allow_unused=True)
        assert grad is None or not grad.numel() or grad[torch.isfinite(pos)].isfinite().all()


@pytest.mark.parametrize("perspective", [True, False])
def test_derivatives_of_faces_are_those_of_rasterize(context, perspective):
    pos, tri, _ = on(context, scenes.one_triangle(2))
    if not perspective:  # of the image plane: as if every w were 1
        pos = pos / pos[..., 3:]
    rast, db = glrast.rasterize(context, pos, tri, ODD)
    near = visibility.nearest_faces(context, pos, tri, ODD, 2, perspective_correct=perspective)
    found = visibility.derivatives_of(near, pos, tri, perspective).reshape(2, *ODD, 2, 4)
    shown = rast[..., 3] > 0
    assert shown.sum() > 50 and not found[..., 1, :].any() and not found[..., 0, :][~shown].any()
    torch.testing.assert_close(found[..., 0, :][shown], db[shown], rtol=1e-3, atol=1e-5)


def test_softras_takes_the_way_its_mask_is_made(context, mesh):
    pos, tri, attr = mesh
    how = dict(sigma_pix2=1.0, faces_per_pixel=4)
    reach = visibility.softras_reach(ODD, 1.0)
    near = visibility.nearest_faces(context, pos, tri, ODD, 4, reach)
    for alpha in ("product", "sum", "hard"):
        image = visibility.render(
            "softras", context, pos, tri, shade_by(attr), ODD, alpha=alpha, **how
        )
        wanted = visibility.softras(near, None, sigma_pix2=1.0, alpha=alpha)
        assert torch.equal(image[..., 3:], wanted)


def test_barycentric_distance_is_that_of_the_image_plane(context, mesh):
    pos, tri, attr = mesh
    pos = pos.clone().requires_grad_()
    image = visibility.render(
        "softras", context, pos, tri, shade_by(attr), ODD, alpha=True, distance="barycentric", sigma_ndc=1e-2
    )  # fmt: skip
    reach = visibility.softras_reach(ODD, sigma_ndc=1e-2) * 8**0.5
    near = visibility.nearest_faces(
        context, pos, tri, ODD, 8, reach, perspective_correct=False, clip_barycentrics=False
    )
    wanted = visibility.softras(near, None, sigma_ndc=1e-2, distance="barycentric")
    assert torch.allclose(image[..., 3:], wanted, atol=1e-3)  # without those of D below 1e-4
    assert 0 <= image.min() and image.max() <= 1 + 1e-5  # attributes within those of the vertices
    assert torch.autograd.grad(image[..., 3].sum(), pos)[0].any()


REFUSED = [
    (dict(name="softrass"), ValueError, "name must be 'antialias', .*'dibr'; got 'softrass'"),
    (dict(sigma=1.0), TypeError, "options must be those of 'softras'; got sigma: it has faces_per"),
    (dict(name="hard", gamma=1.0), TypeError, "those of 'hard'; got gamma: it has none"),
    (dict(shade=3), TypeError, "shade must be a function of .rast, rast_db, tri.; got int"),
    (dict(shade=lambda r, d, t: r[0]), ValueError, "what shade returns must be .N,h,w,C."),
    (dict(shade=lambda r, d, t: r.double()), TypeError, "what shade returns must be float32"),
    (dict(shade=lambda r, d, t: None), TypeError, "what shade returns must be a torch tensor"),
    (dict(background=torch.ones(2)), ValueError, "background must be .C., .H,W,C. or .N,H,W,C."),
    (dict(name="exact", background=torch.ones(2)), ValueError, "render: background must be"),
    (dict(name="exact", background="white", alpha=True), TypeError, "background must be a torch t"),
    (dict(alpha="sum", name="hard"), ValueError, "alpha must be True or False for hard; got 'sum'"),
    (dict(alpha="many"), ValueError, "alpha must be 'product', 'sum' or 'hard'; got 'many'"),
    (dict(alpha=2), TypeError, "alpha must be True or False; got"),
    (dict(cull="all"), ValueError, "render: cull must be"),
    (dict(resolution=(0, 3)), ValueError, "render: resolution"),
    (dict(pos=torch.zeros(3, 3)), ValueError, "pos must be"),
    (dict(tri=torch.zeros(1, 2).int()), ValueError, "tri must be"),
    (dict(reach_pix=-1.0), ValueError, "reach_pix must be 0 or more pixels"),
    (dict(faces_per_pixel=0), ValueError, "faces_per_pixel must be"),
    (dict(name="gendr", distribution="none"), ValueError, "distribution must be"),
    (dict(name="gendr", tau_pix="1"), TypeError, "tau_pix must be"),
    (dict(name="nmr", supersample=3), ValueError, "supersample must be"),
    (dict(name="rasterize_then_splat", layers=0), ValueError, "layers must be"),
    (dict(aggregate="sum"), TypeError, "options must be those of 'softras'; got aggregate"),
]


@pytest.mark.parametrize("wrong, error, said", REFUSED, ids=range(len(REFUSED)))
def test_wrong_arguments_are_named(context, wrong, error, said):
    pos, tri, attr = on(context, scenes.one_triangle(1))
    given = dict(
        name="softras", ctx=context, pos=pos, tri=tri, shade=shade_by(attr), resolution=ODD, background=None
    )  # fmt: skip
    given |= {k: v.to(pos.device) if isinstance(v, torch.Tensor) else v for k, v in wrong.items()}
    with pytest.raises(error, match=said):
        visibility.render(**given)


def test_options_are_those_of_the_functions():
    assert visibility.options_of("hard") == visibility.options_of("exact") == {}
    assert visibility.options_of("nmr") == dict(eps=None, fill_back=True, supersample=2)
    assert visibility.options_of("softras")["faces_per_pixel"] == 8
    with pytest.raises(ValueError, match="options_of: name must be 'antialias'"):
        visibility.options_of("soft")


@pytest.mark.parametrize("name", visibility.NAMES)
def test_a_context_without_derivatives_draws_the_same(mesh, device, name):
    pos, tri, attr = mesh
    plain = glrast.Context(device, output_db=False)
    widths = []

    def shade(rast, rast_db, tri):
        widths.append(rast_db.shape[3])
        return glrast.interpolate(attr, rast, tri)[0]

    images = [
        visibility.render(name, ctx, pos, tri, shade, ODD, alpha=True, **options(name, device))
        for ctx in (glrast.Context(device), plain)
    ]
    assert torch.equal(*images)
    assert name not in SOFT or widths[-1] == 0
