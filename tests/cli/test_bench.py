"""`glrast bench` at tiny sizes. Nothing is asserted about times but that they are there."""

import json
import mmap
import sys
import time

import moderngl
import pytest
import torch

from glrast.bench import (
    bake,
    launches,
    measure,
    operations,
    overhead,
    peer,
    scaling,
    scene,
    table,
    texture,
)
from glrast.cli import main as cli
from glrast.launch import cpu, cuda, where

CPU = torch.device("cpu")
TRIANGLES, SIZE = 80, 33

# DEODR 0.2.3 calls numpy.cross with 2-D vectors, which NumPy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors")


@pytest.fixture(autouse=True)
def small_copies(monkeypatch):
    monkeypatch.setattr(measure, "_COPY_BYTES", 1 << 20)


@pytest.mark.parametrize("triangles", [320, 5120])
def test_the_sphere_fills_64_percent_of_the_image(triangles):
    import glrast

    made = scene.sphere(triangles, 128, CPU)
    assert len(made.tri) == triangles
    rast, _ = glrast.rasterize(glrast.Context(CPU), made.pos_clip, made.tri, made.resolution)
    covered = (rast[..., 3] > 0).float().mean()
    # the polyhedron lies inside the sphere: by 2 % of its area with 320 triangles
    assert covered == pytest.approx(scene.COVERAGE, abs=0.03)


def test_triangles_that_no_icosphere_has_are_refused_with_those_it_has(capsys):
    assert (
        cli.main(["bench", "--triangles", "1000", "--resolution", "33", "--device", "cpu"])
        == cli.WRONG_INPUT
    )
    error = capsys.readouterr().err
    assert "got 1000" in error and "1280" in error


def test_every_operation_and_the_total_are_measured_forward_and_backward():
    rows = operations.measure_operations(scene.sphere(TRIANGLES, SIZE, CPU), repeats=2)
    assert [row.op for row in rows] == ["rasterize", "interpolate", "antialias", "total"]
    assert all(row.forward_ms > 0 and row.backward_ms > 0 for row in rows)
    assert all(row.peak_bytes > 1 << 20 for row in rows)
    assert {(row.resolution, row.triangles) for row in rows} == {(SIZE, TRIANGLES)}


def test_bytes_are_what_goes_in_and_comes_out_once():
    made = scene.sphere(TRIANGLES, SIZE, CPU)
    moved = operations.must_move(made)
    pixels, V, T = SIZE * SIZE, len(made.pos_world), TRIANGLES
    rast, image, pos, tri, color = 16 * pixels, 12 * pixels, 16 * V, 12 * T, 12 * V
    assert moved["rasterize"] == (pos + tri + 2 * rast, 2 * rast + 2 * pos + tri)
    assert moved["interpolate"] == (color + tri + rast + image, image + 2 * color + 2 * rast + tri)
    assert moved["antialias"] == (2 * image + rast + pos + tri, 2 * image + 2 * pos + tri)
    assert moved["total"][0] == sum(
        moved[op][0] for op in ("rasterize", "interpolate", "antialias")
    )


def test_bandwidth_and_medians_are_positive():
    assert measure.copy_bandwidth(CPU) > 0
    calls = []
    assert measure.median_ms(lambda: calls.append(1), 5, CPU) >= 0
    assert len(calls) == 5 + measure.WARM_UP


def test_peak_memory_sees_what_was_freed_again():
    before = measure.PeakMemory(CPU).bytes()
    peak = measure.PeakMemory(CPU)
    with mmap.mmap(-1, 64 << 20) as block:  # not from the heap, which may hold as much already
        for _ in range(64):
            block.write(b"1" * (1 << 20))
    assert peak.bytes() - before > 48 << 20


def test_a_peak_that_is_not_forgotten_is_said(monkeypatch):
    def refuse(path, text):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(measure.Path, "write_text", refuse)
    with pytest.warns(
        RuntimeWarning, match="whole process so far: .*Permission denied.*clear_refs"
    ):
        peak = measure.PeakMemory(CPU)
    assert peak.bytes() > 0


@pytest.mark.slow
def test_deodr_draws_the_same_image_and_the_ratio_is_computed():
    pytest.importorskip(
        "deodr", reason="the peer DEODR is not installed: pip install glrast[bench]"
    )
    found = peer.compare(scene.sphere(320, 65, CPU), repeats=2)
    times = (found.forward_ms + found.backward_ms, found.peer_forward_ms + found.peer_backward_ms)
    assert found.ratio == pytest.approx(times[1] / times[0])
    # the two blend silhouettes differently, and DEODR interpolates colours without perspective
    assert found.image_difference < 0.02


def test_deodr_and_glrast_give_vertex_colors_the_same_gradient():
    pytest.importorskip(
        "deodr", reason="the peer DEODR is not installed: pip install glrast[bench]"
    )
    made = scene.sphere(320, 65, CPU)
    ours, theirs = peer._Glrast(made), peer._Deodr(made)
    grad = torch.rand(65, 65, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    for side in (ours, theirs):
        side.forward()
        side.backward(side.gradient(grad))
    expected = torch.from_numpy(theirs.scene.mesh.vertices_colors_b).float()
    difference = (ours.grads[1] - expected).norm() / expected.norm()
    # white noise weighs the differing silhouettes and perspective most: 0.18; rows upside down would give 1.4
    assert difference < 0.3


def test_deodr_missing_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "deodr", None)
    words = [
        "--triangles",
        "20",
        "--resolution",
        "9",
        "--repeats",
        "1",
        "--peer",
        "deodr",
        "--device",
        "cpu",
    ]
    assert cli.main(["bench", *words]) == cli.WRONG_INPUT
    assert "pip install 'glrast[bench]'" in capsys.readouterr().err


def test_nvdiffrast_is_called_by_its_public_names(monkeypatch):
    import glrast

    # glrast has the same interface, so it can stand in
    package = type(sys)("nvdiffrast")
    monkeypatch.setitem(sys.modules, "nvdiffrast", package)
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", glrast)
    found = peer.compare(scene.sphere(TRIANGLES, SIZE, CPU), 1, "nvdiffrast")
    assert found.peer == "nvdiffrast" and found.ratio > 0 and found.image_difference == 0
    assert "nvdiffrast / glrast" in table.peer([found])


def test_nvdiffrast_missing_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", None)
    with pytest.raises(RuntimeError, match="needs nvdiffrast, which is not installed"):
        peer.compare(scene.sphere(TRIANGLES, SIZE, CPU), 1, "nvdiffrast")


def test_launches_are_counted_without_a_gpu_and_nothing_stays_replaced():
    run, is_host = cuda._cupy, set(where._HOST)
    rows = {row.operation: row for row in launches.measure_launches(repeats=2)}
    assert cuda._cupy is run and where._HOST == is_host == {"cpu"}
    counted = {name: (row.forward, row.backward) for name, row in rows.items()}
    del counted["fragments"]
    assert counted == {
        "rasterize": (1, 1), "interpolate": (1, 1), "interpolate, derivatives": (1, 1),
        "texture, linear": (1, 1), "texture, mipmaps": (5, 2), "antialias": (3, 2),
    }  # fmt: skip
    plain = rows["interpolate"]  # its gradient is filled with zeros, by PyTorch
    assert (plain.forward_fills, plain.backward_fills) == (0, 1) and plain.forward_us > 0
    shown = table.launches(list(rows.values())).splitlines()
    assert len(shown) == 2 + len(rows) and shown[2].split()[1:4] == ["rasterize", "|", "1"]


def test_overhead_is_what_neither_opengl_nor_kernels_take():
    found = overhead.measure_overhead(CPU, repeats=5)
    assert 0 < found.kernels_ms < found.total_ms and 0 < found.opengl_ms < found.total_ms
    assert 0 < found.overhead_ms < found.total_ms
    assert f"{found.overhead_ms:.3f} ms" in table.overhead(found)


def test_the_clocks_of_overhead_see_all_calls_and_are_gone_after_them(gl, monkeypatch):
    """Slowed calls to OpenGL and to kernels are not taken for overhead."""
    before = gl.gl.glClearNamedFramebufferuiv, moderngl.VertexArray.render_indirect
    kernel_function = cpu.kernel_function

    def slowed(function):
        return lambda *arguments: (time.sleep(0.02), function(*arguments))[1]

    def slowed_kernel(stem, kernel):
        function, layout = kernel_function(stem, kernel)
        return (slowed(function) if kernel == "rasterize_backward" else function), layout

    with monkeypatch.context() as patch:
        patch.setattr(gl.gl, "glClearNamedFramebufferuiv", slowed(before[0]))
        patch.setattr(cpu, "kernel_function", slowed_kernel)
        slow = overhead.measure_overhead(CPU, repeats=5)
    assert slow.opengl_ms > 20 and slow.kernels_ms > 20
    assert slow.overhead_ms <= slow.total_ms - 40
    assert before == (gl.gl.glClearNamedFramebufferuiv, moderngl.VertexArray.render_indirect)
    assert cpu.kernel_function is kernel_function


def test_scaling_measures_totals_over_pixels_then_triangles(monkeypatch):
    monkeypatch.setattr(scaling, "FIXED_TRIANGLES", 20)
    monkeypatch.setattr(scaling, "FIXED_RESOLUTION", 17)
    rows = list(scaling.measure_scaling(CPU, 1, (9, 33), (80,)))
    assert [(r.op, r.resolution, r.triangles) for r in rows] == [
        ("total", 9, 20), ("total", 33, 20), ("total", 17, 80),
    ]  # fmt: skip
    lines = table.scaling(rows).splitlines()
    assert lines[0].startswith("|") and len(lines) == 5
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize("map", ["2D", "cube"])
def test_texture_samples_lie_within_it_and_blend_two_levels(map, monkeypatch):
    import glrast

    monkeypatch.setattr(texture, "RESOLUTION", 128)
    size, boundary = 16, "cube" if map == "cube" else "clamp"
    uv, uv_da = (texture.cube_samples if map == "cube" else texture.flat_samples)(size, CPU)
    assert map == "cube" or (0 <= uv.min() < 0.01 and 0.99 < uv.max() <= 1)
    faces = (6,) if map == "cube" else ()
    tex, *mips = (torch.full((1, *faces, size >> k, size >> k, 1), float(k)) for k in range(5))
    level = glrast.texture(tex, uv, uv_da, None, mips, boundary_mode=boundary)
    # magnified: the footprint is one texel times sqrt 2; on a cube it is less where the sides are seen aslant
    assert (level > 0).float().mean() > 0.9 and level.max() < 1.5
    if map == "2D":
        torch.testing.assert_close(level, torch.full_like(level, 0.5))


def test_grid_sample_finds_what_texture_finds_in_either_layout(monkeypatch):
    import glrast

    monkeypatch.setattr(texture, "RESOLUTION", 128)
    tex, (uv, _) = torch.rand(1, 32, 32, 3), texture.flat_samples(32, CPU)
    wanted = glrast.texture(tex, uv, boundary_mode="clamp")
    for sample, texels, at in texture.grid_samples(tex, uv).values():
        torch.testing.assert_close(
            sample(texels, at).permute(0, 2, 3, 1), wanted, atol=1e-5, rtol=0
        )


def test_textures_that_would_fill_the_memory_are_left_out():
    wanted, left_out = texture.textures(texture.SIZES, texture.CHANNELS)
    assert ("2D", 8192, 4) in wanted and ("cube", 4096, 1) in wanted
    assert ("2D", 8192, 16) in left_out and ("cube", 8192, 1) in left_out
    assert len(wanted) + len(left_out) == 2 * 5 * 4


def test_the_command_measures_textures_and_says_which_it_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(texture, "RESOLUTION", 17)
    monkeypatch.setattr(texture, "MOST_BYTES", 16 * 16 * 3 * 4)
    file = tmp_path / "bench.json"
    words = ["--texture", "--sizes", "16", "6", "--channels", "1", "3", "--repeats", "1"]
    assert cli.main(["bench", *words, "--json", str(file), "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "grid_sample / linear" in text and "trilinear / linear" in text and "17 x 17" in text
    assert "above 0 MiB: cube 16 x 16 x 1, cube 16 x 16 x 3" in text
    rows = json.loads(file.read_text())["texture"]
    measured = [(r["map"], r["size"], r["channels"]) for r in rows]
    flat = [("2D", 16, 1), ("2D", 16, 3), ("2D", 6, 1), ("2D", 6, 3)]
    assert measured == [*flat, ("cube", 6, 1), ("cube", 6, 3)]
    for row in rows:
        flat = row["map"] == "2D"
        assert (row["grid_sample_layout"] in ("NCHW", "channels_last")) == flat
        times = [value for key, value in row.items() if key.endswith("_ms")]
        assert all(ms is not None and ms > 0 for ms in times) or not flat


def test_the_command_measures_fragments_against_antialias_stage_by_stage(tmp_path, capsys):
    file = tmp_path / "bench.json"
    words = ["--exact", "--resolution", "33", "--triangles", "80", "320", "--repeats", "1"]
    assert cli.main(["bench", *words, "--json", str(file), "--device", "cpu"]) == 0
    text = capsys.readouterr().out
    assert "near, stages" in text and "all, stages" in text and "crossed pixels" in text
    rows = json.loads(file.read_text())["exact"]
    wanted = [(80, "near"), (80, "all"), (320, "near"), (320, "all")]
    assert [(r["triangles"], r["discontinuities"]) for r in rows] == wanted
    for row in rows:
        assert row["ratio"] > 0 and row["cpu_ratio"] > 0 and 0 < row["pixels"] <= row["fragments"]
        assert bool(row["stages"]) == (row["triangles"] == 320)
    stages, steps = rows[-1]["stages"], ("fragments", "resolve", "backward")
    assert {f"{step}: PyTorch" for step in steps} < set(stages)
    assert stages["backward: fragments_backward_runs"] > 0 and stages["fragments"] > 0


def test_the_command_prints_tables_and_writes_json(tmp_path, capsys):
    pytest.importorskip(
        "deodr", reason="the peer DEODR is not installed: pip install glrast[bench]"
    )
    file = tmp_path / "bench.json"
    words = ["--resolution", "17", "33", "--triangles", "80", "--repeats", "1", "--device", "cpu"]
    assert cli.main(["bench", *words, "--json", str(file), "--peer", "deodr"]) == 0
    text = capsys.readouterr().out
    assert (
        "GB/s" in text and "DEODR / glrast" in text and "33 x 33" in text and "fwd of copy" in text
    )
    report = json.loads(file.read_text())
    assert len(report["operations"]) == 8 and len(report["peer"]) == 2
    assert report["peer"][0]["ratio"] > 0 and report["copy_bytes_per_second"] > 0
    assert report["machine"]["threads"] == torch.get_num_threads()
    assert [p.name for p in tmp_path.iterdir()] == ["bench.json"]


def test_the_command_measures_baking(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bake, "ROWS", 5)
    monkeypatch.setattr(bake, "RESOLUTION", 24)
    file = tmp_path / "bench.json"
    words = ["--bake", "--sizes", "16", "33", "--repeats", "1"]
    assert cli.main(["bench", *words, "--json", str(file), "--device", "cpu"]) == 0
    assert "million texels a second" in capsys.readouterr().out
    rows = json.loads(file.read_text())["bake"]
    wanted = [(name, size) for size in (16, 33) for name in ("texels", "pad", "project")]
    assert [(row["operation"], row["size"]) for row in rows] == wanted
    assert all(row["per_second"] > 0 and 0 < row["covered"] <= row["size"] ** 2 for row in rows)
