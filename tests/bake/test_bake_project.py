"""Photographs onto a texture, where the answer is known: linear pictures, an occluder, two views of one place."""

import math
from dataclasses import replace

import pytest
import torch

from glrast import bake
from glrast.clip import Camera, Mesh, icosphere, look_at, orthographic, perspective
from tests.bake.sheets import sheet

SIZE = (40, 48)  # of the pictures


def above(x: float = 0.0, z: float = 4.0, size: tuple[int, int] = SIZE) -> Camera:
    """A pinhole over the point (x, 0, 0) of the sheet, that sees all of it."""
    pose = look_at((x, 0.0, z), (x, 0.0, 0.0), (0.0, 1.0, 0.0))
    return Camera(pose, perspective(math.radians(50), size[1] / size[0], 0.1, 50.0), size)


def picture(camera: Camera, z: float = 4.0, x: float = 0.0) -> torch.Tensor:
    """[H,W,2], x and y of the plane z = 0 as `above` sees it: linear, so what lies between pixels is exact."""
    height, width = camera.resolution
    half = z * math.tan(math.radians(25))
    row, column = torch.meshgrid(
        (torch.arange(height) + 0.5) / height * 2 - 1,
        (torch.arange(width) + 0.5) / width * 2 - 1,
        indexing="ij",
    )
    return torch.stack([column * half * width / height + x, row * half], -1)


def test_each_texel_has_the_colour_of_its_place():
    texels, camera = bake.texels(sheet(), 24), above()
    for images in (picture(camera)[None], [picture(camera)]):
        found = bake.project(texels, images, [camera])
        assert torch.equal(found.seen, found.views == 1)
        wanted = texels.position[..., :2]
        torch.testing.assert_close(found.color[found.seen], wanted[found.seen], rtol=0, atol=3e-5)
        # all but what lies within 1.5 pixels of the silhouette
        far = wanted.abs().amax(-1) < 1 - 1.6 * 2 * 4 * math.tan(math.radians(25)) / SIZE[0]
        assert bool(found.seen[texels.mask & far].all()) and not found.seen[~texels.mask].any()


def test_the_near_and_far_planes_of_the_camera_do_not_matter_and_a_parallel_one_serves():
    texels, camera = bake.texels(sheet(), 24), above()
    near = camera.with_planes(0.01, 0.02)
    same = [bake.project(texels, picture(camera)[None], [c]).color for c in (camera, near)]
    assert torch.equal(*same)
    flat = Camera(camera.world_to_camera, orthographic(1.5, 48 / 40, 0.1, 9.0), SIZE)
    half = 1.5 / (4 * math.tan(math.radians(25)))
    found = bake.project(texels, picture(camera)[None] * half, [flat])
    wanted = texels.position[..., :2][found.seen]
    torch.testing.assert_close(found.color[found.seen], wanted, rtol=0, atol=3e-5)


def test_what_stands_in_the_way_is_not_seen_through():
    base = sheet()
    quad = torch.tensor([[-0.4, -0.4, 1.0], [0.4, -0.4, 1.0], [0.4, 0.4, 1.0], [-0.4, 0.4, 1.0]])
    tri = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    both = Mesh(torch.cat([base.pos, quad]), torch.cat([base.tri, tri + len(base.pos)]))
    atlas = bake.Atlas(
        torch.cat([base.uv, torch.full((4, 2), -1.0)]),
        torch.cat([base.uv_tri, tri + len(base.uv)]),
        48,
    )
    camera = above()
    for texels, hiding in (
        (bake.texels(both, atlas=atlas), None),
        (bake.texels(base, 48), both),
    ):
        found = bake.project(texels, picture(camera)[None], [camera], occluders=hiding)
        place = texels.position[..., :2].abs().amax(-1)
        shadow = 0.4 * 4 / 3  # the quad, cast from the camera onto the sheet
        assert not found.seen[texels.mask & (place < shadow)].any()
        assert bool(found.seen[texels.mask & (place > shadow + 0.25) & (place < 0.8)].all())


def test_two_views_are_mixed_by_cosine_and_distance():
    texels, size = bake.texels(sheet(), 25), (400, 400)  # so fine that no border is near
    one, other = above(0.0, 4.0, size), above(0.0, 6.0, size)
    tilted = Camera(look_at((3.0, 0.0, 4.0), (0.0, 0.0, 0.0)), one.projection, size)
    blank = torch.ones(*size, 1)
    middle = (12, 12)
    assert float(texels.position[middle].norm()) < 1e-6
    found = bake.project(texels, [0 * blank, blank], [one, other])
    # weights 1 and (4/6)^2
    share = (4 / 6) ** 2
    assert float(found.color[middle]) == pytest.approx(share / (1 + share), abs=1e-4)
    assert float(found.confidence[middle]) == pytest.approx(1.0, abs=1e-4)
    assert int(found.views[middle]) == 2
    for power in (1.0, 2.0, 6.0):
        found = bake.project(texels, [0 * blank, blank], [one, tilted], cosine=power)
        share = 0.8**power * (4 / 5) ** 2
        assert float(found.color[middle]) == pytest.approx(share / (1 + share), abs=1e-4)
    found = bake.project(texels, [0 * blank, blank], [one, tilted], least_cosine=0.81)
    assert float(found.color[middle]) == 0.0 and int(found.views[middle]) == 1


def test_a_mask_hides_its_pixels_and_bytes_are_shares_of_255():
    texels, camera = bake.texels(sheet(), 24), above()
    image = torch.full((1, *SIZE, 3), 51, dtype=torch.uint8)
    mask = torch.ones(1, *SIZE, dtype=torch.bool)
    mask[0, :, : SIZE[1] // 2] = False
    for given in (mask, mask.float()):
        found = bake.project(texels, image, [camera], given)
        x = texels.position[..., 0]
        assert not found.seen[texels.mask & (x < 0)].any()
        torch.testing.assert_close(
            found.color[found.seen], torch.full_like(found.color[found.seen], 0.2)
        )
        assert bool(
            found.seen[texels.mask & (x > 0.2) & (texels.position.abs().amax(-1) < 0.8)].all()
        )


def test_a_sphere_from_all_sides_gets_its_own_colours_back():
    pos, tri = icosphere(3)
    mesh = Mesh(pos, tri)
    texels = bake.texels(mesh, atlas=bake.atlas(mesh, 64))
    cameras, images = [], []
    for away in torch.cat([torch.eye(3), -torch.eye(3)]):
        up = (0.0, 0.0, 1.0) if abs(float(away[2])) < 0.5 else (0.0, 1.0, 0.0)
        pose = look_at(4 * away, (0.0, 0.0, 0.0), up)
        cameras.append(Camera(pose, perspective(math.radians(40), 1.0, 0.1, 9.0), (96, 96)))
    images = bake.views(mesh, cameras, ["position"])["position"]
    found = bake.project(texels, images, cameras)
    assert bool(found.seen[texels.mask].all())
    error = (found.color - texels.position)[texels.mask].norm(dim=1)
    assert float(error.max()) < 0.01 and float(error.mean()) < 0.002


def test_a_view_from_behind_sees_nothing():
    below = Camera(look_at((0.0, 0.0, -4.0), (0.0, 0.0, 0.0)), above().projection, SIZE)
    found = bake.project(bake.texels(sheet(), 24), torch.ones(1, *SIZE, 1), [below])
    assert not found.seen.any() and not found.color.any() and not found.confidence.any()


def test_wrong_arguments_are_told():
    texels, camera = bake.texels(sheet(), 8), above()
    image = torch.zeros(*SIZE, 3)
    with pytest.raises(TypeError, match="texels must be glrast.bake.Texels; got Mesh: pass"):
        bake.project(sheet(), [image], [camera])
    with pytest.raises(TypeError, match="mesh must be a glrast.clip.Mesh; got Tensor"):
        bake.visible(sheet().pos, [camera])
    with pytest.raises(ValueError, match="images must be one for each camera; got 2 for 1"):
        bake.project(texels, [image, image], [camera])
    with pytest.raises(ValueError, match=r"images\[0\] must be \[40,48,C\]"):
        bake.project(texels, [image[:-1]], [camera])
    with pytest.raises(TypeError, match=r"images\[0\] must be float32 or uint8"):
        bake.project(texels, [image.double()], [camera])
    with pytest.raises(ValueError, match=r"masks\[0\] must be \[40,48\]"):
        bake.project(texels, [image], [camera], [image])
    with pytest.raises(TypeError, match="cameras must be a list of glrast.clip.Camera; got a list"):
        bake.project(texels, [image], [torch.eye(4)])
    with pytest.raises(ValueError, match="one at least"):
        bake.project(texels, [], [])


def test_views_give_planes_their_places_and_distances():
    camera = above()
    mesh = sheet()
    found = bake.views(mesh, [camera, camera])
    assert {k: tuple(v.shape) for k, v in found.items()} == {
        "position": (2, *SIZE, 3), "normal": (2, *SIZE, 3), "depth": (2, *SIZE, 1),
        "mask": (2, *SIZE, 1), "uv": (2, *SIZE, 2), "id": (2, *SIZE, 1),
    }  # fmt: skip
    mask = found["mask"][0, ..., 0]
    assert torch.equal(mask, picture(camera).abs().amax(-1) <= 1)
    torch.testing.assert_close(
        found["position"][0, mask][:, :2], picture(camera)[mask], rtol=0, atol=1e-5
    )
    torch.testing.assert_close(found["depth"][0, mask], torch.full((int(mask.sum()), 1), 4.0))
    torch.testing.assert_close(
        found["uv"][0, mask], 0.5 + 0.4 * picture(camera)[mask], rtol=0, atol=1e-5
    )
    assert bool((found["id"][0, ~mask] == -1).all()) and not found["normal"][0, ~mask].any()
    tilted = Camera(look_at((3.0, 0.0, 4.0), (0.0, 0.0, 0.0)), camera.projection, SIZE)
    for space, wanted in (("world", (0.0, 0.0, 1.0)), ("camera", (-0.6, 0.0, 0.8))):
        normal = bake.views(mesh, [tilted], ["normal"], normal_space=space)["normal"]
        seen = normal[normal.norm(dim=-1) > 0]
        torch.testing.assert_close(seen, torch.tensor(wanted).expand_as(seen), rtol=0, atol=1e-5)


def test_views_refuse_what_they_cannot_make():
    camera = above()
    bare = replace(sheet(), uv=None, uv_tri=None)
    with pytest.raises(ValueError, match="mesh must have uv for the layer 'uv'"):
        bake.views(bare, [camera])
    with pytest.raises(ValueError, match="layers must be 'position', 'normal'"):
        bake.views(bare, [camera], ["colour"])
    with pytest.raises(ValueError, match="cameras must have one resolution; got 40 x 48, 41 x 48"):
        bake.views(bare, [camera, camera.at_resolution(41, 48)], ["mask"])


def test_visible_counts_views_and_pixels():
    base = sheet(1, 1)
    front = torch.cat([base.pos, base.pos * 0.5 + torch.tensor([0.0, 0.0, 1.0])])
    mesh = Mesh(front, torch.cat([base.tri, base.tri + 4]))
    camera = above()
    below = Camera(look_at((0.0, 0.0, -4.0), (0.0, 0.0, 0.0)), camera.projection, SIZE)
    found = bake.visible(mesh, [camera, below, camera])
    assert found.views.tolist() == [3, 3, 2, 2] and bool(found.seen.all())
    mask = bake.views(mesh, [camera, below], ["mask"])["mask"].sum(dim=(1, 2, 3))
    assert int(found.pixels.sum()) == 2 * int(mask[0]) + int(mask[1])
    assert bake.visible(mesh, [below]).views.tolist() == [1, 1, 0, 0]
    assert bake.visible(mesh, [below], cull="back").views.tolist() == [0, 0, 0, 0]
    fine = bake.visible(mesh, [below], finer=3)
    assert abs(int(fine.pixels.sum()) / 9 - int(mask[1])) < 0.1 * int(mask[1])
