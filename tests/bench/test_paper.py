"""The paper's table: exact meshes, and renderers that fail without taking the others with them."""

import datetime
import os
import threading
import time
from multiprocessing.connection import Connection

import pytest
import torch

from glrast.bench import members, paper, paper_page, renderers, scene, table
from glrast.cli import bench
from glrast.cli import main as cli

CPU = torch.device("cpu")
LIMIT_S = 0.02


# ---- meshes ----------------------------------------------------------------------------------------------


def test_the_paper_has_14_even_counts_from_284_to_308170():
    counts = paper.counts()
    assert len(counts) == 14 and (counts[0], counts[-1]) == (284, 308_170)
    assert all(count % 2 == 0 for count in counts) and list(counts) == sorted(set(counts))


@pytest.mark.parametrize(
    "triangles", [4, 6, 284, *(pytest.param(t, marks=pytest.mark.slow) for t in (308_170,))]
)
def test_a_mesh_has_exactly_so_many_triangles_and_is_closed_and_faces_outwards(triangles):
    made = scene.even_sphere(triangles, 33, CPU)
    tri = made.tri.long()
    assert len(tri) == triangles and made.tri.dtype == torch.int32
    edges = torch.cat([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]])
    V = len(made.pos_world)
    there, back = edges[:, 0] * V + edges[:, 1], edges[:, 1] * V + edges[:, 0]
    assert len(there.unique()) == len(there)
    assert torch.equal(there.sort().values, back.sort().values)
    p = made.pos_world[tri].double()
    assert (torch.linalg.det(p) > 0).all()


@pytest.mark.parametrize("triangles", [2, 285])
def test_an_odd_or_too_small_number_of_triangles_is_refused(triangles):
    with pytest.raises(ValueError, match=f"even number of triangles, 4 or more; got {triangles}"):
        scene.even_sphere(triangles, 33, CPU)


# ---- renderers that fail ---------------------------------------------------------------------------------


class _Thread:
    """In a process's place."""

    pid, exitcode = 0, 7  # no /proc/0: the clock decides

    def __init__(self, target, args, daemon):
        own = Connection(os.dup(args[0].fileno()))  # the caller closes its copy
        self.thread = threading.Thread(target=target, args=(own, *args[1:]), daemon=daemon)
        self.start, self.kill, self.join = self.thread.start, lambda: None, lambda _=None: None


@pytest.fixture
def worker(monkeypatch):
    """A worker whose process runs the function that it is given."""

    class Context:
        Pipe = staticmethod(paper.get_context("spawn").Pipe)
        Process = _Thread

    def of(serve):
        monkeypatch.setattr(paper, "get_context", lambda _: Context)
        monkeypatch.setattr(renderers, "serve", serve)
        return paper._Worker("softras", CPU, LIMIT_S)

    return of


def test_what_takes_too_long_says_so_and_larger_cases_are_not_begun(worker):
    begun = []

    def serve(pipe, *_):
        try:
            while True:
                what, *numbers = pipe.recv()
                begun.append(numbers) if numbers else time.sleep(1)
                pipe.send((0.0, 0.0, 0.0))
        except (EOFError, OSError):
            pass

    slow = worker(serve)
    assert slow.prepare(284, 512) == ""
    assert slow.run(284, 512) == f"over {LIMIT_S} s"
    assert slow.prepare(284, 512) == f"over {LIMIT_S} s"
    assert slow.prepare(486, 1024) == f"not begun: over {LIMIT_S} s at 284, 512 x 512"
    assert slow.prepare(486, 256) == "" and begun == [[284, 512], [486, 256]]


def test_a_process_that_ends_costs_its_own_cell(worker):
    ended = worker(lambda pipe, *_: pipe.close())
    assert ended.prepare(284, 512) == "its process ended (7)"
    assert ended.process is None


def _answers(monkeypatch, error):
    def fails(_):
        raise error

    monkeypatch.setitem(renderers.RENDERERS, "softras", fails)
    ours, theirs = paper.get_context("spawn").Pipe()
    thread = threading.Thread(target=renderers.serve, args=(theirs, "softras", "cpu"))
    thread.start()
    ours.send(("prepare", 4, 17))
    answer = ours.recv()
    ours.close()
    thread.join(10)
    assert not thread.is_alive()
    return answer


@pytest.mark.parametrize(
    "error, why",
    [
        (MemoryError(), "does not fit in memory"),
        (RuntimeError("[enforce fail] can't allocate memory: you tried"), "does not fit in memory"),
        (ModuleNotFoundError("No module named 'pytorch3d'"), "not installed (No module named"),
        (RuntimeError("first line\nsecond"), "first line"),
    ],
)
def test_an_error_of_a_renderer_is_the_reason_that_its_cell_gives(monkeypatch, error, why):
    answer = _answers(monkeypatch, error)
    assert answer.startswith(why) and "\n" not in answer


@pytest.mark.slow  # two processes that import PyTorch
def test_renderers_run_in_processes_of_their_own_and_what_is_not_installed_is_missing_everywhere(
    monkeypatch,
):
    monkeypatch.setitem(renderers.RENDERERS, "nobody", None)
    cases = list(paper.measure_paper(CPU, 1, 60, (4, 284), (17,), ("glrast", "nobody")))
    assert [case.cells["glrast"].repeats for case in cases] == [1, 1]
    assert all(case.cells["glrast"].ms > 0 for case in cases)
    assert all(case.cells["nobody"].why_not for case in cases)
    assert cases[0].ratio("nobody") is None


@pytest.mark.parametrize("name", ["glrast", "softras"])
def test_a_renderer_answers_with_the_times_of_a_pass(name, monkeypatch):
    monkeypatch.setattr(renderers, "_bound_memory", lambda: None)
    forward, backward, wall = renderers.prepared(name, 284, 33, CPU)()
    assert forward > 0 and backward > 0 and wall > 0


# ---- tables ----------------------------------------------------------------------------------------------

CASES = [
    paper.Case(284, 256, {
        "glrast": paper.Cell(4.0, 1.0, 9.0, 3), "softras": paper.Cell(20.0, 30.0, 99.0, 3),
        "PyTorch3D": paper.Cell(why_not="over 60 s"),
    }),
    paper.Case(1234, 512, {
        "glrast": paper.Cell(why_not="does not fit in memory"), "softras": paper.Cell(200.0, 1000.0, 1.0, 1),
        "PyTorch3D": paper.Cell(why_not="over 60 s"),
    }),
]  # fmt: skip


def test_the_table_has_ratios_and_says_beneath_why_cells_are_empty():
    text = table.paper(CASES)
    first, second = text.splitlines()[2:4]
    assert [cell.strip() for cell in first.split("|")[1:-1]] == [
        "284", "256 x 256", "4.00", "1.00", "20.0", "30.0", "(1)", "", "10.0x", "",
    ]  # fmt: skip
    assert "1,234" in second and "1,000" in second and "(2)" in second and "x |" not in second[20:]
    assert text.endswith("(1) PyTorch3D: over 60 s  \n(2) glrast: does not fit in memory")


def test_the_page_has_the_machine_and_the_date():
    text = paper_page.page(CASES, {"device": "cpu", "cpu": "Z80"}, datetime.date(2026, 11, 3), 15)
    assert "3 November 2026:\ndevice cpu, cpu Z80." in text and table.paper(CASES) in text
    assert "the processor's" in text and "--limit 15 " in text and "over 0.3 s is run once" in text
    assert "the clock's" in paper_page.page(
        CASES, {"device": "GPU"}, datetime.date(2026, 11, 3), 15
    )


def test_the_command_writes_the_page(monkeypatch, capsys, tmp_path):
    asked = []
    monkeypatch.setattr(paper, "measure_paper", lambda *given: asked.append(given) or iter(CASES))
    page = tmp_path / "page.md"
    assert (
        cli.main(["bench", "--device", "cpu", "--paper", "--quick", "--markdown", str(page)]) == 0
    )
    printed = capsys.readouterr().out
    assert "284 at 256: glrast 5.0 ms; softras 50.0 ms; PyTorch3D over 60 s" in printed
    assert table.paper(CASES) in printed and table.paper(CASES) in page.read_text()
    ((_, repeats, limit, counts, resolutions),) = asked
    assert (repeats, limit, len(counts), resolutions) == (1, 5.0, 3, (256, 512))


# ---- members ---------------------------------------------------------------------------------------------


def test_every_member_is_measured_beside_antialias(monkeypatch, capsys):
    monkeypatch.setattr(bench.members, "SPLATTED", 1)
    assert cli.main(
        "bench --device cpu --members --resolution 17 --triangles 52 --repeats 1".split()
    ) == 0  # fmt: skip
    rows = capsys.readouterr().out.splitlines()[3:]
    names = [row.split("|")[1].strip() for row in rows]
    assert names[0] == "antialias" and len(names) == len(set(names)) == 10
    assert all(float(row.split("|")[6]) > 0 for row in rows)


def test_a_member_that_takes_too_long_is_called_once(monkeypatch):
    monkeypatch.setattr(members, "MOST_MS", 0.0)
    monkeypatch.setattr(members, "members", lambda made: {"slow": made.antialias})
    calls = []
    monkeypatch.setattr(members, "timed", lambda image, *_: calls.append(image) or (1.0, 2.0))
    rows = list(members.measure_members(scene.even_sphere(4, 17, CPU), 5))
    assert [row.name for row in rows] == ["antialias", "slow"] and len(calls) == 4
