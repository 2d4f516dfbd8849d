"""Files of randomly chosen features give the mesh that their numbers mean; broken ones an error that names them."""

import resource
import warnings

import numpy as np
import pytest

from glrast.clip import load_mesh
from tests.mesh.broken_gltf import damaged
from tests.mesh.random_gltf import Maker
from tests.mesh.soup import distance, soup_of

pytest.importorskip("PIL.Image", reason="Pillow makes the pictures")
# float32 of coordinates up to 4e6 here; colours pass through the sRGB curve in float32 and back
RELATIVE, SHADE = 1e-6, 1e-4


def load(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lines, points and what else was left out
        return load_mesh(path)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_files_of_random_features_are_what_their_numbers_mean(tmp_path, block):
    for seed in range(block * 100, block * 100 + 100):
        maker = Maker(seed, tmp_path)
        path, expected = maker.make()
        if maker.refusal or len(expected.pos) == 0:
            words = maker.refusal or "must have triangles; found none"
            with pytest.raises(ValueError, match=rf"{seed}\.gl.*{words}"):
                load(path)
            continue
        found = soup_of(load(path))
        assert len(found.pos) == len(expected.pos), path
        away, shade = distance(found, expected)
        assert away <= RELATIVE * np.abs(expected.pos).max() and shade <= SHADE, (path, away, shade)
        assert found.look == expected.look, path


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_broken_files_load_or_are_named_and_cost_no_memory(tmp_path, block):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loaded = 0
    for seed in range(block * 100, block * 100 + 100):
        path, _ = Maker(seed, tmp_path).make()
        how = damaged(path, np.random.default_rng(seed))
        try:
            mesh = load(path)
        except (ValueError, FileNotFoundError, ImportError) as error:
            text = str(error)
            assert text.startswith("glrast.clip.load_mesh: ") and str(path) in text, (path, how)
            assert "unforeseen" not in text, (
                path,
                how,
            )  # a kind of damage that the reader does not know
        else:
            assert bool(mesh.pos.isfinite().all())
            loaded += 1
        for file in (path, *tmp_path.glob("data *.bin")):
            file.unlink(missing_ok=True)
    assert 5 < loaded < 70  # the damage does harm, and not all of it
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
