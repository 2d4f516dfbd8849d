"""Of obj and of ply a thousand files of random features, and a thousand broken ones."""

import warnings
from collections import Counter

import pytest

from glrast.clip import load_mesh
from tests.mesh import random_obj, random_ply
from tests.mesh.drawn_mesh import check_polygons

pytest.importorskip("PIL", reason="Pillow writes the pictures")
MAKERS = {
    "obj": (random_obj, random_obj.random_obj, random_obj.broken_obj),
    "ply": (random_ply, random_ply.random_ply, random_ply.broken_ply),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("ending", MAKERS)
def test_random_files_are_the_mesh_that_was_drawn(tmp_path, ending, part):
    _, make, _ = MAKERS[ending]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing in them is left out
        warnings.filterwarnings("ignore", message=".*pos is relative to")  # but some lie far away
        for seed in range(part, 1000, 4):
            drawn = make(seed)
            mesh = load_mesh(drawn.write(tmp_path / str(seed)))
            try:
                check_polygons(mesh, drawn.polygons)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("ending", MAKERS)
def test_broken_files_load_or_are_named(tmp_path, ending, part):
    kinds, _, make = MAKERS[ending]
    results = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(part, 1000, 4):
            drawn, what = make(seed)
            folder = tmp_path / str(seed)
            path = drawn.write(folder)
            try:
                load_mesh(path)
                results[what, "read"] += 1
                assert what not in kinds.TOLD, f"seed {seed}: {what} was not told"
            except (ValueError, FileNotFoundError) as error:
                assert str(folder) in str(error), f"seed {seed}: {error}"
                results[what, "told"] += 1
    assert {what for what, _ in results} == set(kinds.BREAKS)
