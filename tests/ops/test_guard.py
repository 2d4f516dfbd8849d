"""glrast.debug: what otherwise draws nothing or goes on is an error that names the first offender."""

import re
import threading

import pytest
import torch

import glrast
from glrast.core import switch
from tests import scenes
from tests.ops.compare import draw, on, random
from tests.scenes import SCENES

# Scenes that draw on purpose what debug refuses, and how it refuses them.
REFUSED = {
    "degenerate": (ValueError, r"triangles with an area; triangle 0 = \[0, 0, 1\] has none in image 0: .*first of 2"),
    "non_finite": (FloatingPointError, r"pos must be finite; pos\[3, 0\] is nan \(3 of 24 elements are not\)"),
    "index_out_of_range": (ValueError, r"indices from 0 to 2 \(pos has V=3\); triangle 0 is \[0, 1, -1\] "),
}  # fmt: skip


@pytest.fixture(autouse=True)
def off_again():
    yield
    glrast.debug(False)


def test_with_blocks_of_two_threads_that_overlap_leave_nothing_on():
    first_in, second_in, first_out = (threading.Event() for _ in range(3))

    def first():
        with glrast.debug():
            first_in.set()
            second_in.wait(10)
        first_out.set()

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait(10)
    with glrast.debug():
        second_in.set()
        first_out.wait(10)
        assert switch.active  # the other's end is not this one's
    thread.join()
    assert not switch.active


@pytest.mark.parametrize("name", SCENES)
def test_debug_changes_nothing_but_the_refusals(context, name):
    pos, tri, attr = on(context, SCENES[name]())

    def results():
        moving, colors = (t.clone().requires_grad_() for t in (pos, attr))
        rast, rast_db = draw(context, (moving, tri))
        color, _ = glrast.interpolate(colors, rast, tri, rast_db, "all")
        image = glrast.antialias(color, rast, moving, tri)
        return image, *torch.autograd.grad(image.square().sum(), (moving, colors))

    before = results()  # off by default: it draws nothing, and goes on
    with glrast.debug():
        if name in REFUSED:
            kind, message = REFUSED[name]
            with pytest.raises(kind, match=message):
                results()
        else:
            assert all(torch.equal(a, b) for a, b in zip(before, results()))


def test_the_switch_stays_and_the_with_puts_back_what_was_before(context):
    scene = scenes.index_out_of_range()
    assert not switch.active
    glrast.debug(True)
    with pytest.raises(ValueError):
        draw(context, scene)
    with glrast.debug(False):
        draw(context, scene)
    assert switch.active
    with pytest.raises(ZeroDivisionError), glrast.debug(False):
        raise ZeroDivisionError
    assert switch.active
    glrast.debug(False)
    draw(context, scene)


def test_an_index_of_attributes_is_checked_against_attributes(context):
    pos, tri, _ = on(context, scenes.one_triangle())
    rast, _ = draw(context, (pos, tri))
    with glrast.debug():
        message = "glrast.interpolate: tri must hold vertex indices from 0 to 1 (attr has V=2); triangle 0 is [0, 1, 2]"
        with pytest.raises(ValueError, match=re.escape(message) + "$"):
            glrast.interpolate(torch.zeros(2, 3, device=pos.device), rast, tri)


@pytest.mark.parametrize("operation", ["interpolate", "antialias"])
def test_a_pixel_that_names_no_triangle_is_named(device, operation):
    rast = torch.zeros(2, 5, 7, 4, device=device)
    rast[1, 2, 3, 3] = 9
    pos, tri = torch.ones(3, 4, device=device), torch.tensor([[0, 1, 2]], device=device)
    with glrast.debug():
        message = (
            r"0 to 0 \(tri has T=1\); pixel \(image, row, column\) \[1, 2, 3\] names triangle 8$"
        )
        with pytest.raises(ValueError, match=f"glrast.{operation}: rast must name .*{message}"):
            if operation == "interpolate":
                glrast.interpolate(pos, rast, tri)
            else:
                glrast.antialias(rast, rast, pos, tri)


def test_the_first_number_that_is_not_finite_is_named_in_every_argument(context):
    pos, tri, attr = on(context, scenes.one_triangle())
    rast, rast_db = draw(context, (pos, tri))
    tex, uv = random(1, 8, 8, 2).to(rast), rast[..., :2].contiguous()

    def poisoned(tensor, value):
        tensor = tensor.clone()
        tensor.reshape(-1)[7:] = value
        return tensor

    calls = {
        r"interpolate: attr must be finite; attr\[2, 1\] is inf \(2 of 9":
            lambda: glrast.interpolate(poisoned(attr, torch.inf), rast, tri),
        r"interpolate: rast_db .* rast_db\[0, 0, 1, 3\] is -inf":
            lambda: glrast.interpolate(attr, rast, tri, poisoned(rast_db, -torch.inf), "all"),
        r"antialias: color .* color\[0, 0, 1, 3\] is nan":
            lambda: glrast.antialias(poisoned(rast, torch.nan), rast, pos, tri),
        r"texture: tex .* tex\[0, 0, 3, 1\] is nan": lambda: glrast.texture(poisoned(tex, torch.nan), uv),
        r"texture: uv .* uv\[0, 0, 3, 1\] is nan": lambda: glrast.texture(tex, poisoned(uv, torch.nan)),
    }  # fmt: skip
    for message, call in calls.items():
        call()
        with glrast.debug(), pytest.raises(FloatingPointError, match=f"glrast.{message}"):
            call()


def test_a_gradient_that_is_not_finite_is_named_in_the_backward_pass(context):
    pos, tri, attr = on(context, scenes.one_triangle())
    rast, _ = draw(context, (pos, tri))
    color, _ = glrast.interpolate(attr.requires_grad_(), rast, tri)
    image = glrast.antialias(color, rast, pos, tri)
    gradient = torch.zeros_like(image)
    gradient[0, 3, 4, 1] = torch.nan
    image.backward(gradient, retain_graph=True)
    message = (
        r"glrast.antialias \(backward\): grad_out must be finite; grad_out\[0, 3, 4, 1\] is nan"
    )
    with glrast.debug(), pytest.raises(FloatingPointError, match=message):
        image.backward(gradient)


def test_a_result_that_overflows_is_named(context):
    pos, tri, attr = on(context, scenes.one_triangle())
    rast, _ = draw(context, (pos, tri))
    color, _ = glrast.interpolate(attr.requires_grad_(), rast, tri)
    huge = torch.full_like(color, 3e38)
    color.backward(huge, retain_graph=True)
    with (
        glrast.debug(),
        pytest.raises(FloatingPointError, match=r"interpolate \(backward\): result 0 .* is inf"),
    ):
        color.backward(huge)


def test_textures_with_mipmaps_pass(context):
    pos, tri, attr = on(context, scenes.closed_mesh(1))
    tex = random(1, 16, 16, 3).to(attr).requires_grad_()
    with glrast.debug():
        rast, rast_db = draw(context, (pos, tri))
        uv, uv_da = glrast.interpolate(attr[:, :2].contiguous(), rast, tri, rast_db, "all")
        glrast.texture(tex, uv, uv_da).square().sum().backward()
    assert tex.grad.any()


def test_an_edge_on_triangle_has_an_area(context):
    pos = torch.tensor([[[-0.5, 0, 0, 1], [0.5, 0, 0, 1], [0.0, 0, 0.5, 1]]]).to(context.device)
    with glrast.debug():
        rast, _ = draw(context, (pos, torch.tensor([[0, 1, 2]])))
    assert not rast.any()


def test_every_call_to_opengl_is_followed_by_asking_for_its_error(gl):
    with gl.current():
        with glrast.debug():
            message = r"OpenGL reports GL_INVALID_ENUM after glEnable\(4660\)$"
            with pytest.raises(RuntimeError, match=message):
                gl.gl.glEnable(0x1234)
            gl.gl.glEnable(0x0B71)
        gl.gl.glEnable(0x1234)  # off: nobody asks until the next check
        with pytest.raises(RuntimeError, match="GL_INVALID_ENUM at the end$"):
            gl.gl.check("at the end")


def test_a_call_that_moderngl_makes_is_named_too(gl, monkeypatch):
    from glrast.raster.batch import Corners

    upload = Corners.upload

    def broken(*arguments):
        buffers = upload(*arguments)
        gl.gl._plain["glEnable"](0x1234)
        return buffers

    monkeypatch.setattr(Corners, "upload", broken)
    context, scene = glrast.Context(gl.device), scenes.one_triangle(1)
    message = "GL_INVALID_ENUM after writing pos and tri to their buffers"
    with glrast.debug(), pytest.raises(RuntimeError, match=message):
        draw(context, scene)


def test_without_debug_opengl_functions_are_the_drivers_own(gl):
    assert gl.gl.glEnable is gl.gl._plain["glEnable"]
    with glrast.debug():
        assert gl.gl.glEnable is not gl.gl._plain["glEnable"]
    assert gl.gl.glEnable is gl.gl._plain["glEnable"]
