"""Threads that draw at once share a context's dictionaries: under its lock, or in a way that needs none."""

import sys
import threading
import time

import pytest
import torch

import glrast
from glrast.core.per_tensor import PerTensor
from glrast.gl import targets
from glrast.gl.buffers import buffer
from glrast.gl.program import program
from tests import scenes
from tests.ops.compare import on

THREADS, TURNS = 6, 12


@pytest.fixture
def switching():
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def together(switching):
    """together(work): so many threads do work(number) at once; what any of them raised is raised."""

    def together(work):
        barrier, raised = threading.Barrier(THREADS), []

        def run(number):
            barrier.wait()
            try:
                work(number)
            except BaseException as error:
                raised.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        if raised:
            raise raised[0]

    return together


class Held(dict):
    """A dictionary that is touched only by the thread that holds the lock."""

    def __init__(self, content, lock):
        super().__init__(content)
        self.lock = lock


def _asks(name):
    plain = getattr(dict, name)

    def method(self, *arguments):
        assert self.lock._is_owned(), f"{name} without the context's lock"
        return plain(self, *arguments)

    return method


for _name in (
    "__getitem__", "__setitem__", "__delitem__", "__iter__", "__contains__", "get", "pop", "keys", "values", "items",
    "clear", "setdefault", "update",
):  # fmt: skip
    setattr(Held, _name, _asks(_name))


@pytest.fixture
def held(gl, monkeypatch):
    gl.close()
    monkeypatch.setattr(gl, "objects", Held({}, gl.lock))
    yield gl
    gl.close()


def test_the_check_itself_sees_who_holds_the_lock(held):
    with pytest.raises(AssertionError, match="__iter__ without"):
        list(held.objects)
    with held.current():
        assert list(held.objects) == []


@pytest.mark.slow
@pytest.mark.parametrize("culls", [False, True], ids=["llvmpipe's way", "a GPU's way"])
def test_whatever_threads_do_with_a_context_its_lock_is_held(
    context, held, together, monkeypatch, culls
):
    monkeypatch.setattr(held.limits, "culls_non_finite", culls)
    monkeypatch.setattr(held.limits, "kept_bytes", 1 << 14)
    pos, tri, _ = on(context, scenes.closed_mesh(1, images=2))
    sizes = [(8 + 3 * n, 9 + 2 * n) for n in range(THREADS)]
    wanted = [glrast.rasterize(context, pos, tri, size)[0] for size in sizes]

    def work(number):
        mine = glrast.Context(context.device, buffers=context.program)
        for turn in range(TURNS):
            which = (number + turn) % THREADS
            rast, _ = glrast.rasterize(mine, pos, tri.clone(), sizes[which])
            assert torch.equal(rast, wanted[which])
            if turn % 4 == number % 4:
                with glrast.DepthPeeler(mine, pos, tri, sizes[which]) as peeler:
                    assert torch.equal(peeler.rasterize_next_layer()[0], wanted[which])
                    peeler.rasterize_next_layer()
            if turn == TURNS // 2 and not number:
                mine.close()

    together(work)


def test_what_makes_buffers_targets_and_programs_takes_the_lock_itself(held):
    """Whoever made the context current in another way, and does not hold it, meets nobody in the dictionary."""
    with held.egl:
        for size in (64, 1 << 17):  # it grows: all vertex arrays are looked for
            made = buffer(held, "of a test", size)
        first = targets.target(held, targets.R32UI, 8, 8, 1)
        targets.keep(held, targets.take(held, targets.R32UI, 8, 8, 1))
        assert targets.target(held, targets.R32UI, 8, 8, 1) is first
        program(held, "rasterize", "FULL")
    assert made.size == 1 << 17


class Slow(dict):
    """A dictionary in the middle of whose every use another thread may come."""


def _waits(name):
    plain = getattr(dict, name)

    def method(self, *arguments):
        found = plain(self, *arguments)
        time.sleep(0)
        return found

    return method


for _name in ("__getitem__", "__setitem__", "__contains__", "__iter__", "__len__", "get", "pop"):
    setattr(Slow, _name, _waits(_name))


@pytest.mark.parametrize("most", [1, 3])
def test_what_is_remembered_of_tensors_survives_threads_and_dying_tensors(together, most):
    """Each thread pushes out what another put in, and forgets its own when the tensor dies."""
    known = PerTensor(most=most)
    known._known = Slow()

    def work(number):
        for turn in range(60):
            tensor = torch.zeros(1)
            assert known.of(tensor, lambda n=number, t=turn: (n, t)) == (number, turn)
            assert known.found(tensor) in (None, (number, turn))

    together(work)
    assert len(known) <= most
