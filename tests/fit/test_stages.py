"""The steps are dealt out to the stages without a rest."""

import pytest

from glrast.fit.stages import plan


@pytest.mark.parametrize("colour", ["vertex", "texture"])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 100, 999, 1001])
def test_the_stages_have_the_steps_of_the_run_in_all(steps: int, colour: str):
    stages = plan(steps, colour)
    assert sum(stage.steps for stage in stages) == steps
    assert all(stage.steps > 0 for stage in stages)
    # However short, the run ends with what was asked for.
    assert stages[-1].texture == (colour == "texture")


@pytest.mark.parametrize("colour", ["vertex", "texture"])
def test_a_whole_plan_goes_from_coarse_to_fine(colour: str):
    stages = plan(1000, colour)
    shrink = [stage.shrink for stage in stages]
    edge = [stage.edge for stage in stages if stage.edge]
    assert shrink == sorted(shrink, reverse=True) and shrink[-1] == 1
    assert edge == sorted(edge, reverse=True) and len(edge) >= 2


def test_a_textured_mesh_is_never_cut_anew():
    # Its atlas belongs to its triangles.
    later = [stage for stage in plan(1000, "texture") if stage.texture]
    assert later and all(stage.edge == stage.split == 0.0 for stage in later)
    assert not any(stage.texture for stage in plan(1000, "vertex"))
