"""The fit learns, repeats itself to the bit, and goes on from a checkpoint as if nothing had been."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glrast.clip import is_closed
from glrast.fit.checkpoint import load_checkpoint
from glrast.fit.dataset import load_dataset
from glrast.fit.loop import Fit, Stopped, run
from glrast.fit.report import judge
from glrast.fit.stages import Stage, plan
from tests.fit.sphere import sphere_views

CPU = torch.device("cpu")
SPOT = Path(__file__).parents[3] / "shared" / "data" / "spot"
# Small stages, so that a run crosses a border between stages, and the one to the texture.
STAGES = [
    Stage("one", 4, 2, 0.12, 0.0, 10.0, 2e-3, 5e-2, 0.5),
    Stage("two", 3, 1, 0.08, 0.03, 10.0, 1e-3, 5e-2, 0.5),
    Stage("three", 3, 1, 0.0, 0.0, 10.0, 1e-3, 5e-2, 0.5, texture=True),
]


def begun(seed: int = 0, stages: list[Stage] = STAGES, batch: int = 2) -> Fit:
    fit = Fit(sphere_views(6), stages, batch, seed, CPU)
    fit.begin()
    return fit


def finished(fit: Fit) -> Fit:
    while not fit.done:
        fit.step()
    return fit


def same_bits(a: Fit, b: Fit) -> bool:
    first, second = a.mesh(), b.mesh()
    assert first.atlas and second.atlas
    pairs = [(getattr(first, n), getattr(second, n)) for n in ("pos", "tri", "color")]
    pairs += [(getattr(first.atlas, n), getattr(second.atlas, n)) for n in ("uv", "uv_tri")]
    return all(torch.equal(x, y) for x, y in pairs) and a.losses == b.losses


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    first, again, other = finished(begun()), finished(begun()), finished(begun(seed=1))
    assert same_bits(first, again)
    assert first.losses != other.losses


# In the middle of the first stage, at its last step (the next begins a stage), at the last step
# before there is a texture, and with it.
@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [2, 4, 7, 8])
def test_a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one(stop_after: int, tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    first = begun()
    with pytest.raises(Stopped):
        run(first, path, lambda fit: None, lambda: len(first.losses) == stop_after)
    second = Fit(sphere_views(6), STAGES, 2, 0, CPU)
    second.restore(load_checkpoint(path), path)
    assert len(second.losses) == stop_after
    assert same_bits(finished(second), finished(begun()))


@pytest.mark.slow
def test_a_finished_run_saves_its_end(tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    first, seen = begun(), []
    run(first, path, lambda fit: seen.append(len(fit.losses)), lambda: False)
    assert seen == list(range(1, 11))
    second = Fit(sphere_views(6), STAGES, 2, 0, CPU)
    second.restore(load_checkpoint(path), path)
    assert second.done and same_bits(first, second)


@pytest.mark.slow
def test_a_checkpoint_of_other_pictures_or_settings_is_refused():
    state = begun().state()
    with pytest.raises(ValueError, match=r"batch was 2 in c\.pt and is 3 now"):
        Fit(sphere_views(6), STAGES, 3, 0, CPU).restore(state, Path("c.pt"))
    with pytest.raises(ValueError, match=r"--texture-size was None in c\.pt and is 64 now"):
        Fit(sphere_views(6), STAGES, 2, 0, CPU, texture_size=64).restore(state, Path("c.pt"))
    with pytest.raises(ValueError, match=r"--resolution was pictures .* in c\.pt and is .* now"):
        Fit(sphere_views(7), STAGES, 2, 0, CPU).restore(state, Path("c.pt"))


def broken(state: dict, name: str, value) -> dict:
    *path, last = name.split(".")
    holder = state = copy.deepcopy(state)
    for part in path:
        holder = holder[part]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return state


@pytest.mark.slow
def test_contents_that_make_no_fit_are_refused_in_one_line():
    fit = finished(begun())
    state = fit.state()
    texture, tri, u = state["color"], state["tri"], state["u"]
    wrong = [
        ("generator", None, "it lacks 'generator'"),
        ("paint", None, "it lacks 'paint'"),
        ("generator", torch.zeros(3, dtype=torch.uint8), "generator must be torch.uint8"),
        ("stage_index", 3, "stage_index must be 0 to 2; it is 3"),
        ("step_in_stage", 2041, "step_in_stage must be 0 to 3; it is 2041"),
        ("step_in_stage", 2, "10 losses at step 9"),
        ("u", u[:, :2], "u must be torch.float32"),
        ("u", u.double(), "u must be torch.float32"),
        ("u", u * torch.nan, "u holds values that are not finite"),
        ("tri", tri + len(u), "tri must be 0 to"),
        ("color", texture[:-1], "color must be torch.float32"),
        ("atlas.uv_tri", tri[:-1], "uv_tri must be torch.int32"),
        ("atlas.size", "x", "size must be 1 to"),
        ("atlas", 7, "atlas is no dict"),
        ("order", torch.tensor([6]), "order must be 0 to 5; it goes from 6 to 6"),
        ("move", [], "move is no optimiser's state"),
        ("losses", "x", "losses is no list"),
    ]
    for name, value, said in wrong:
        again = Fit(sphere_views(6), STAGES, 2, 0, CPU)
        with pytest.raises(ValueError, match=r"a fit in c\.pt, but ") as caught:
            again.restore(broken(state, name, value), Path("c.pt"))
        assert said in str(caught.value) and "\n" not in str(caught.value), name


def test_every_view_comes_once_before_any_comes_again():
    fit = Fit(sphere_views(6), STAGES, 2, 0, CPU)
    drawn = torch.cat([fit._next_views() for _ in range(6)])
    assert sorted(drawn[:6].tolist()) == sorted(drawn[6:].tolist()) == list(range(6))
    assert drawn[:6].tolist() != drawn[6:].tolist()


def test_a_batch_larger_than_the_views_is_all_of_them():
    fit = Fit(sphere_views(3), STAGES, 8, 0, CPU)
    assert sorted(fit._next_views().tolist()) == [0, 1, 2]


@pytest.mark.slow
def test_a_tiny_fit_comes_near_to_views_it_has_not_seen():
    views = sphere_views(14)
    train, test = views.pick(list(range(10))), views.pick(list(range(10, 14)))
    stages = [Stage("only", 60, 1, 0.07, 0.0, 10.0, 2e-3, 5e-2, 0.2)]
    fit = Fit(train, stages, 4, 0, CPU)
    fit.begin()
    before = judge(fit.ctx, fit.mesh(), test, CPU)
    after = judge(fit.ctx, finished(fit).mesh(), test, CPU)
    # Measured: 15 dB with the mean colour, 32 dB after the fit.
    assert float(after.psnr.mean()) > max(27.0, float(before.psnr.mean()) + 8.0)
    assert float(after.iou.mean()) > 0.97
    assert sum(fit.losses[-10:]) < 0.5 * sum(fit.losses[:10])


@pytest.mark.slow
def test_a_texture_shows_what_a_coarse_mesh_has_no_vertices_for():
    views = sphere_views(14, 65, 65, stripe=0.1)
    train, test = views.pick(list(range(10))), views.pick(list(range(10, 14)))
    shape = Stage("shape", 15, 1, 0.15, 0.0, 10.0, 2e-3, 5e-2, 0.5)
    colour = Stage("colour", 40, 1, 0.0, 0.0, 10.0, 5e-4, 5e-2, 0.2)
    found = {}
    for name, last in ("vertex", colour), ("texture", replace(colour, texture=True)):
        fit = Fit(train, [shape, last], 4, 0, CPU)
        fit.begin()
        found[name] = float(judge(fit.ctx, finished(fit).mesh(), test, CPU).psnr.mean())
    # Measured: 18.2 dB and 20.4 dB.
    assert found["texture"] > found["vertex"] + 1.0, found


@pytest.mark.skipif(not SPOT.is_dir(), reason=f"the shared data set {SPOT} is not on this machine")
@pytest.mark.slow
def test_a_short_fit_of_the_shared_data_set_keeps_the_promise_of_the_long_one():
    data = load_dataset(SPOT, 256)
    fit = Fit(data.train, plan(100), 4, 0, CPU)
    fit.begin()
    found = judge(fit.ctx, finished(fit).mesh(), data.test, CPU)
    # The promise is 27 dB and 0.98 with the defaults (measured: 38.8 and 0.995).
    assert float(found.psnr.mean()) > 30.0 and float(found.iou.mean()) > 0.985
    assert is_closed(fit.model.tri)
