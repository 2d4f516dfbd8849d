"""program: GLSL from shaders/, compiled once, with errors that name the file and the line."""

import signal

import pytest

from glrast.gl import program as module
from glrast.launch import source


@pytest.mark.parametrize(
    "defines", [(), ("FULL",), ("LAYERED_VERTEX",), ("FULL", "LAYERED_VERTEX")]
)
def test_every_variant_compiles_once(gl, defines):
    if "LAYERED_VERTEX" in defines and not gl.limits.layered_vertex:
        pytest.skip("this driver's vertex stage cannot choose the layer")
    with gl.current():
        first = module.program(gl, "rasterize", *defines)
        assert module.program(gl, "rasterize", *defines) is first


@pytest.mark.parametrize("stage", ["vert", "frag"])
@pytest.mark.parametrize("defines", [(), ("FULL",)])
def test_an_error_names_the_file_the_line_and_shows_it(gl, stage, defines):
    texts = {s: module._read(f"rasterize.{s}", defines) for s in ("vert", "frag")}
    file = source.folder("shaders") / f"rasterize.{stage}"
    at = file.read_text().splitlines().index("#ifdef FULL")  # a line that every variant reaches
    lines = texts[stage].split("\n")
    lines.insert(at + 1 + len(defines), "nonsense from_the_test;")
    texts[stage] = "\n".join(lines)
    with gl.current(), pytest.raises(RuntimeError) as caught:
        module.compile_program(gl, "rasterize", texts["vert"], texts["frag"])
    first, *rest = str(caught.value).splitlines()
    assert (
        first
        == f"glrast: shaders/rasterize.{stage}:{at + 1} does not compile: nonsense from_the_test;"
    )
    assert any("error" in line for line in rest)


def test_an_error_in_the_last_line_is_found(gl):
    vertex = module._read("rasterize.vert", ())
    fragment = module._read("rasterize.frag", ()).rstrip() + "\nvoid main() {}"
    with (
        gl.current(),
        pytest.raises(
            RuntimeError, match=r"shaders/rasterize.frag:\d+ does not compile: void main\(\) \{\}"
        ),
    ):
        module.compile_program(gl, "rasterize", vertex, fragment)


def test_stages_that_do_not_fit_together_are_named(gl):
    unfed = ["#version 450 core", "#line 2", "layout(location = 7) in vec3 unfed;", "out vec4 c;"]
    fragment = "\n".join([*unfed, "void main() { c = unfed.xyzz; }"])
    with gl.current(), pytest.raises(RuntimeError, match="glrast: shaders/rasterize"):
        module.compile_program(gl, "rasterize", module._read("rasterize.vert", ()), fragment)


def test_defines_stand_behind_the_version_and_lines_keep_their_numbers():
    original = (source.folder("shaders") / "rasterize.vert").read_text().splitlines()
    read = module._read("rasterize.vert", ("FULL", "LAYERED_VERTEX")).splitlines()
    assert read[:4] == [
        "#version 450 core",
        "#define FULL 1",
        "#define LAYERED_VERTEX 1",
        "#line 2",
    ]
    assert read[4:] == original[1:]


def test_a_message_of_another_driver_is_read_too():
    said = module._explain(
        "rasterize",
        "#version 450 core\n#line 2\nint good;\nint bad bad;",
        "",
        "GLSL Compiler failed\n\nvertex_shader\n=====\n0(3) : error C0000: syntax error",  # NVIDIA's way
    )
    assert said.splitlines()[0] == "glrast: shaders/rasterize.vert:3 does not compile: int bad bad;"


def test_an_interrupt_waits_until_the_program_is_made(gl, monkeypatch):
    """moderngl crashes on an exception in the middle."""
    made = []
    real = gl.moderngl.program

    def interrupted(**stages):
        signal.raise_signal(signal.SIGINT)
        made.append(real(**stages))
        return made[-1]

    monkeypatch.setattr(gl.moderngl, "program", interrupted)
    before = signal.getsignal(signal.SIGINT)
    texts = [
        f"#version 450 core\nvoid main() {{ {line} }}" for line in ("gl_Position = vec4(0);", "")
    ]
    with gl.current(), pytest.raises(KeyboardInterrupt):
        module.compile_program(gl, "rasterize", *texts)
    assert len(made) == 1 and signal.getsignal(signal.SIGINT) is before
    with gl.current():
        made[0].release()
