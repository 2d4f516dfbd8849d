"""The steps are dealt out to the stages without a rest."""

import pytest

from glrast.fit.stages import plan


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 100, 999, 1001])
def test_the_stages_have_the_steps_of_the_run_in_all(steps: int):
    stages = plan(steps)
    assert sum(stage.steps for stage in stages) == steps
    assert all(stage.steps > 0 for stage in stages)


def test_a_whole_plan_goes_from_coarse_to_fine():
    stages = plan(1000)
    shrink = [stage.shrink for stage in stages]
    edge = [stage.edge for stage in stages if stage.edge]
    assert shrink == sorted(shrink, reverse=True) and shrink[-1] == 1
    assert edge == sorted(edge, reverse=True) and len(edge) >= 2
