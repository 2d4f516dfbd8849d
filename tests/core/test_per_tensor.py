"""per_tensor: what is remembered of a tensor, until it is written to, replaced, or dies."""

import copy
import gc
import pickle

import pytest
import torch

from glrast.core import per_tensor
from glrast.core.per_tensor import PerTensor


@pytest.fixture
def made():
    """(of, calls): `of(tensor)` counts how often its thing is made."""
    memory, calls = PerTensor(), []

    def of(tensor, *more, still=None):
        def make():
            calls.append(1)
            return object() if torch._C._are_functorch_transforms_active() else tensor.tolist()

        return memory.of(tensor, make, *more, still=still)

    of.memory = memory
    return of, calls


def test_a_tensor_that_stays_as_it_is_is_asked_once(made):
    of, calls = made
    tensor = torch.arange(3)
    assert of(tensor) is of(tensor) and len(calls) == 1
    assert of(tensor.clone()) is not of(tensor) and len(calls) == 2  # equal is not the same


def test_a_tensor_that_was_written_in_place_is_asked_again(made):
    of, calls = made
    tensor = torch.arange(3)
    of(tensor)
    tensor[0] = 7
    assert of(tensor) == [7, 1, 2] and len(calls) == 2
    tensor.view(-1).mul_(2)  # through a view
    assert of(tensor) == [14, 2, 4]


@pytest.mark.parametrize("size", [16, 256, 1000, 5000, 1 << 16])  # allocators are whimsical
def test_a_tensor_that_was_replaced_is_asked_again_whatever_its_address(made, size):
    of, _ = made

    def numbers(i):
        return torch.full((size,), i, dtype=torch.int32)

    tensor = numbers(0)
    for i in range(0, 40, 2):  # freed memory is given out again, but not what is remembered
        assert of(tensor)[0] == i
        tensor.data = numbers(i + 1)
        tensor.data = numbers(i + 2)


def test_a_tensor_in_another_form_is_asked_again(made):
    of, _ = made
    tensor = torch.arange(6)
    of(tensor)
    tensor.resize_(2, 3)
    assert of(tensor) == [[0, 1, 2], [3, 4, 5]]
    tensor.t_()
    assert of(tensor) == [[0, 3], [1, 4], [2, 5]]


def test_nothing_is_left_of_a_dead_tensor(made):
    of, _ = made
    tensor, other = torch.arange(3), torch.arange(4)
    of(tensor), of(other)
    assert len(of.memory) == 2
    del tensor
    gc.collect()
    assert len(of.memory) == 1 and of.memory.found(other) == [0, 1, 2, 3]


def test_another_stream_asks_again(made, monkeypatch):
    of, calls = made
    tensor, streams = torch.arange(3), iter([1, 1, 2, 2])
    monkeypatch.setattr(per_tensor, "stream_number", lambda device: next(streams))
    for expected in (1, 1, 2, 2):
        of(tensor)
        assert len(calls) == expected


def test_what_a_captured_graph_makes_is_its_own(made, monkeypatch):
    of, calls = made
    tensor = torch.arange(3)
    with monkeypatch.context() as patch:
        patch.setattr(per_tensor, "is_capturing", lambda device: True)
        of(tensor), of(tensor)
    assert len(calls) == 2 and of.memory.found(tensor) is None


def test_something_else_that_changed_asks_again(made):
    of, calls = made
    tensor = torch.arange(3)
    of(tensor, 5), of(tensor, 5), of(tensor, 6)
    assert len(calls) == 2


def test_changes_of_an_inference_tensor_are_not_counted_so_it_is_asked_each_time(made):
    of, calls = made
    with torch.inference_mode():
        tensor = torch.arange(3)
    of(tensor)
    with torch.inference_mode():
        tensor[0] = 9
    assert of(tensor) == [9, 1, 2] and len(calls) == 2 and of.memory.found(tensor) is None


def test_where_that_is_uncertain_the_thing_itself_is_asked(made):
    of, calls = made
    with torch.inference_mode():
        tensor = torch.arange(3)
    same = [True]
    of(tensor, still=lambda thing: same[0]), of(tensor, still=lambda thing: same[0])
    assert len(calls) == 1
    same[0] = False
    of(tensor, still=lambda thing: same[0])
    assert len(calls) == 2
    counted = torch.arange(3)
    of(counted, still=lambda thing: True)
    counted += 0  # written, and right nevertheless: asked once, then known again
    of(counted, still=lambda thing: True)
    of(counted, still=lambda thing: pytest.fail("it is known"))


def test_a_compiler_is_given_a_new_one_and_nothing_is_kept(made):
    of, _ = made
    memory = of.memory

    def step(tensor):
        return memory.of(tensor, lambda: tensor + 1)

    compiled = torch.compile(step, backend="eager", fullgraph=True)
    tensor = torch.arange(3)
    assert compiled(tensor).tolist() == [1, 2, 3]
    tensor += 1
    assert compiled(tensor).tolist() == [2, 3, 4] and len(memory) == 0


def test_inside_a_transform_nothing_is_kept(made):
    of, _ = made
    torch.func.vmap(lambda x: x * len([of(x)]))(torch.ones(2, 3))
    assert len(of.memory) == 0


def test_only_the_latest_are_kept_where_so_many_are_asked_for():
    memory = PerTensor(most=1)
    first, second = torch.arange(3), torch.arange(3)
    memory.remember(first, "first")
    memory.remember(second, "second")
    assert memory.found(first) is None and memory.found(second) == "second"
    memory.forget()
    assert memory.found(second) is None


def test_a_copy_and_a_pickle_begin_with_nothing():
    memory, tensor = PerTensor(), torch.arange(3)
    memory.remember(tensor, "it")
    for other in (copy.deepcopy(memory), pickle.loads(pickle.dumps(memory))):
        assert len(other) == 0 and other.of(tensor, lambda: "new") == "new"
