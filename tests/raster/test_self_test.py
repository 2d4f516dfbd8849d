"""self_test: a driver that draws right is left alone; one that loses pixels gets the workaround."""

import warnings
from contextlib import contextmanager

import pytest

from glrast.gl.host_copy import HostCopy
from glrast.raster import draw as drawing
from glrast.raster import self_test

pytestmark = pytest.mark.slow


@pytest.fixture
def small(monkeypatch, gl):
    monkeypatch.setattr(self_test, "SIZE", 64)
    monkeypatch.setattr(self_test, "SQUARES", 16)
    yield
    gl.close()
    gl.limits.writes_depth = False


def losing(monkeypatch, unless):
    """A driver that loses one pixel, unless ..."""
    submit = drawing.submit

    def lossy(context, target, *arguments):
        submit(context, target, *arguments)
        if not unless(context):
            read = target.read

            def lose(out):
                read(out)
                out[-1, 5, 7] = 0

            target.read = lose
        else:
            target.__dict__.pop("read", None)

    monkeypatch.setattr(drawing, "submit", lossy)


def test_a_driver_that_draws_right_is_left_alone(gl, small):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        self_test.check(gl)
    assert not gl.limits.writes_depth


def test_the_full_picture_is_right_here(gl):
    assert self_test._is_right(gl)
    gl.close()


def test_a_driver_that_loses_a_pixel_writes_depths(gl, small, monkeypatch):
    losing(monkeypatch, unless=lambda context: context.limits.writes_depth)
    with pytest.warns(RuntimeWarning, match="drops pixels .*535.129"):
        self_test.check(gl)
    assert gl.limits.writes_depth


def test_a_driver_that_cannot_be_helped_is_named(gl, small, monkeypatch):
    losing(monkeypatch, unless=lambda context: False)
    with pytest.warns(RuntimeWarning, match="does not draw a test picture right"):
        self_test.check(gl)


def test_interop_that_reads_something_else_gives_way_to_host_memory(gl, small, monkeypatch):
    class Wrong:
        """Shares nothing but what it makes up."""

        def __getattr__(self, name):
            return getattr(HostCopy(), name)

        @contextmanager
        def drawn(self, target, out, last=True):
            out.fill_(3)
            yield 0

    monkeypatch.setattr(gl, "sharing", Wrong())
    with pytest.warns(RuntimeWarning, match="CUDA does not read what OpenGL drew"):
        self_test.check(gl)
    assert isinstance(gl.sharing, HostCopy) and not gl.limits.writes_depth


def test_what_fails_outright_is_left_to_the_first_real_call(gl, small, monkeypatch):
    monkeypatch.setattr(self_test, "_is_right", lambda context: 1 / 0)
    with pytest.warns(RuntimeWarning, match=r"could not run \(ZeroDivisionError"):
        self_test.check(gl)
    assert not gl.limits.writes_depth
