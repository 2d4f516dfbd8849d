"""Prove the Dockerfile and the set-up on machines that have nothing: `make container-check`.

    base    a bare Debian or Ubuntu, made by mmdebstrap as this machine's apt is configured, kept by suite
    bare    there: an ordinary user is told what to install; root gets a working `make setup`
    image   the Dockerfile built on it by buildah: doctor, a small demo, quick tests, as its ordinary user

`make bare-check` does what a person does on the bare machine, all of it: `make demo`, doctor, `make test`, with the
PyTorch that TORCH names, or without it the one that the set-up chooses. 15 minutes to an hour, up to 8 GB of disk.

No daemon: chroot isolation, storage by overlay where the kernel allows it and by vfs (plain copies) elsewhere.
Needs root, or a user with subordinate ids (`man subuid`).
Environment: TORCH (requirement), SUITE (default: this machine's), GLRAST_CACHE (default: ~/.cache/glrast).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = os.environ.get("TORCH") or "torch"
CACHE = Path(os.environ.get("GLRAST_CACHE") or Path.home() / ".cache" / "glrast").absolute()
TOOLS = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
MOST_IMAGES = 60  # kept layers, about 25 GB; a build makes 17, a changed source 8 more
# The rooms of tests that an image may fail though the checkout passes: what is installed, loaded and found there.
IN_THE_IMAGE = (
    "contract",
    "core",
    "doctor",
    "gl",
    "launch",
    "ops",
    "raster",
    "test_import.py",
    "test_examples.py",
)
# Of those, what looks at the checkout or needs a compiler.
NOT_IN_THE_IMAGE = ("launch/test_headers.py",)


def main(whole: bool) -> None:
    install_tools()
    suite = os.environ.get("SUITE") or this_suite()
    base = make_base(suite)
    volumes, pip = pip_configuration()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        source = Path(folder) / "glrast"
        copy_checkout(source)
        if whole:
            return check_first_hour(base, source, volumes, pip)
        bare = pool.submit(check_bare_machine, base, source, volumes, pip)  # pip leaves a core free
        image = build_image(base, source, volumes, pip)
        check_image(image, source, volumes, pip)
        bare.result()
    print("container-check: all of it works")


def timed(what: str) -> Callable[[Callable], Callable]:
    """Say how long it took."""

    def decorated(work: Callable) -> Callable:
        def timed_work(*arguments):
            begin = time.monotonic()
            result = work(*arguments)
            print(f"{time.monotonic() - begin:6.0f} s  {what}", flush=True)
            return result

        return timed_work

    return decorated


@cache
def buildah() -> list[str]:
    """buildah with storage of our own under the cache folder, by the best driver that works there."""
    for driver in ("overlay", "vfs"):
        storage = CACHE / driver
        command = [
            "buildah",
            f"--storage-driver={driver}",
            f"--root={storage}/root",
            f"--runroot={storage}/run",
        ]
        if subprocess.run([*command, "info"], capture_output=True).returncode == 0:
            return command
    sys.exit(
        f"container-check: buildah cannot store images in {CACHE}; try as root, or another GLRAST_CACHE"
    )


def install_tools() -> None:
    """buildah and mmdebstrap from apt, as root or through sudo; otherwise say the line and fail."""
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if not missing:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (sudo and subprocess.run([*sudo, "true"]).returncode):
        sys.exit(
            f"container-check needs {' and '.join(missing)}. Run as root:\n    apt-get update && {' '.join(install)}"
        )
    print(f"installing: {' '.join(missing)}", flush=True)
    run([*sudo, "apt-get", "update", "-qq"])
    run([*sudo, "env", "DEBIAN_FRONTEND=noninteractive", *install, "-qq"])


def this_suite() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    sys.exit(
        "container-check: /etc/os-release names no suite; name one: SUITE=bookworm make container-check"
    )


@timed("base")
def make_base(suite: str) -> str:
    """The name of an image with a bare `suite` and make. Fetched once: the tarball and the image are kept."""
    name = f"localhost/glrast-base:{suite}"
    inspect = [*buildah(), "inspect", "--type", "image", name]
    if subprocess.run(inspect, capture_output=True).returncode == 0:
        return name
    tarball = CACHE / f"base-{suite}.tar"
    if not tarball.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        options = CACHE / "apt.conf"  # proxies and the like, also for apt inside
        options.write_text(run(["apt-config", "dump", "Acquire"]))
        partial = tarball.with_suffix(".partial.tar")
        run(["mmdebstrap", "--variant=minbase", "--include=ca-certificates,make", f"--aptopt={options}",
             suite, str(partial), *sources(suite)])  # fmt: skip
        partial.rename(tarball)
    container = run([*buildah(), "from", "scratch"]).strip()
    run([*buildah(), "add", container, str(tarball), "/"])
    run([*buildah(), "commit", "--rm", container, name])
    return name


def sources(suite: str) -> list[str]:
    """This machine's apt sources, where they have the suite; otherwise mmdebstrap's own choice."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    files = [f for f in files if f.suffix in (".list", ".sources") and f.is_file()]
    return [str(f) for f in files if suite in f.read_text()]


def pip_configuration() -> tuple[list[str], dict[str, str]]:
    """How pip is configured here, for pip in a container: volumes for local folders and files, and PIP_ variables."""
    listed = run([sys.executable, "-m", "pip", "config", "list"])
    found: dict[str, str] = {}
    for line in sorted(
        listed.splitlines(), reverse=True
    ):  # the environment's (:env:) last: it decides
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in ("index-url", "extra-index-url", "find-links", "cert"):
            found["PIP_" + name.upper().replace("-", "_")] = value.strip("'\"").replace("\\n", " ")
    wheels = CACHE / "pip"  # what pip fetched and built, kept from container to container
    wheels.mkdir(parents=True, exist_ok=True)
    volumes = ["--volume", f"{wheels}:/root/.cache/pip"]
    for place in " ".join(found.values()).split():
        path = Path(place.removeprefix("file://"))
        if path.is_absolute() and path.exists():  # an index's pages point to files beside it
            path = path.parent if place.startswith("file://") else path
            volumes += ["--volume", f"{path}:{path}:ro"]
    return volumes, found


def copy_checkout(target: Path) -> None:
    """What git tracks or would track, as it is now."""
    listed = run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    )
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)  # with its time, which tells layers apart


@timed("bare machine: make setup, doctor, some tests")
def check_bare_machine(base: str, source: Path, volumes: list[str], pip: dict[str, str]) -> None:
    """The first step of `make demo` and `make test` on a machine with nothing but make."""
    with Container("glrast-check-bare", base, volumes, pip) as bare:
        bare.copy(source, "/glrast")
        bare.options += ["--workingdir", "/glrast"]
        refused = bare.try_run("make", "setup", options=["--user", "nobody"])
        wanted = "apt-get update && apt-get install -y --no-install-recommends"
        if refused.returncode == 0 or wanted not in refused.stderr:
            sys.exit(
                f"a user without sudo is not told what to install:\n{refused.stdout}{refused.stderr}"
            )
        bare.run("make", "setup", f"TORCH={TORCH}")
        bare.run(".venv/bin/glrast", "doctor", "--device", "cpu")
        bare.run(
            ".venv/bin/python", "-m", "pytest", "-m", "not slow", "tests/ops/test_rasterize.py"
        )


def check_first_hour(base: str, source: Path, volumes: list[str], pip: dict[str, str]) -> None:
    """`make demo` and `make test`, as a person starts them, on a machine with nothing but make; shown as they go on."""
    asked = os.environ.get("TORCH", "")
    torch, name = f"TORCH={asked}", "".join(c if c.isalnum() else "-" for c in asked or "any")
    with Container(f"glrast-check-whole-{name}", base, volumes, pip) as bare:  # two may run at once
        bare.copy(source, "/glrast")
        bare.options += ["--workingdir", "/glrast"]
        timed("bare machine: make demo")(bare.show)("make", "demo", torch)
        bare.run("test", "-s", "out/demo/mesh.glb")
        bare.show(".venv/bin/glrast", "doctor", "--device", "cpu")
        timed("bare machine: make test")(bare.show)("make", "test")
    print("bare-check: all of it works")


@timed("image: build")
def build_image(base: str, source: Path, volumes: list[str], pip: dict[str, str]) -> str:
    """The Dockerfile's image; layers are kept from run to run."""
    arguments = {"BASE": base, "TORCH": TORCH, "EXTRAS": "fit", **pip}
    options = [x for k, v in arguments.items() for x in ("--build-arg", f"{k}={v}")]
    name = "localhost/glrast"
    run([*buildah(), "build", "--isolation=chroot", "--layers", "--pull-never", *volumes, *options,
         "--tag", name, str(source)])  # fmt: skip
    if len(run([*buildah(), "images", "--all", "--quiet"]).split()) > MOST_IMAGES:
        # layers of earlier sources; those of this one go too, once
        run([*buildah(), "rmi", "--prune"])
    return name


@timed("image: doctor, small demo, tests")
def check_image(image: str, source: Path, volumes: list[str], pip: dict[str, str]) -> None:
    """What a person does with the image, as its ordinary user; then quick tests of what is installed there."""
    with Container("glrast-check-image", image, volumes, pip) as made:
        entry = run([*buildah(), "inspect", "--format={{.OCIv1.Config.Entrypoint}}", made.name])
        user = made.run("id", "-un").strip()
        if entry.strip() != "[glrast]" or user != "glrast":
            sys.exit(f"the image's entry point is {entry.strip()} and its user {user}")
        print(made.run("glrast", "doctor"))
        made.run("glrast", "fit", "demo", "--out", "demo", "--steps", "20", "--resolution", "64")
        made.run("test", "-s", "demo/mesh.glb")
        made.run("python", "-m", "pip", "install", "-q", "--target", "tools", "pytest")
        for name in ("tests", "examples", "docs"):
            made.copy(source / name, f"/home/glrast/{name}", "--chown=glrast")
        made.copy(source / "pyproject.toml", "/home/glrast/", "--chown=glrast")
        ignored = [f"--ignore=tests/{name}" for name in NOT_IN_THE_IMAGE]
        chosen = [f"tests/{name}" for name in IN_THE_IMAGE]
        pytest = ["python", "-m", "pytest", "-m", "not slow", *ignored, *chosen]
        print(made.run(*pytest, options=["--env", "PYTHONPATH=tools"]).strip().splitlines()[-1])


class Container:
    """A working container of `image`, removed at the end; one that an interrupted run has left is replaced."""

    def __init__(self, name: str, image: str, volumes: list[str], environment: dict[str, str]):
        self.name, self.image = name, image
        self.options = [*volumes, *(x for k, v in environment.items() for x in ("--env", f"{k}={v}"))]  # fmt: skip

    def __enter__(self) -> Container:
        subprocess.run([*buildah(), "rm", self.name], capture_output=True)
        run([*buildah(), "from", "--pull-never", "--name", self.name, self.image])
        return self

    def __exit__(self, *_) -> None:
        subprocess.run([*buildah(), "rm", self.name], capture_output=True)

    def command(self, command: Sequence[str], options: Sequence[str] = ()) -> list[str]:
        inside = [*buildah(), "run", "--isolation=chroot", *self.options, *options, self.name, "--"]
        return [*inside, *command]

    def try_run(
        self, *command: str, options: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(command, options), capture_output=True, text=True)

    def show(self, *command: str) -> None:
        """What the command says goes where this process's output goes, while it runs."""
        done = subprocess.run(self.command(command))
        if done.returncode:
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}")

    def run(self, *command: str, options: Sequence[str] = ()) -> str:
        return output(self.try_run(*command, options=options))

    def copy(self, source: Path, target: str, *options: str) -> None:
        run([*buildah(), "copy", *options, self.name, str(source), target])


def run(command: list[str]) -> str:
    return output(subprocess.run(command, capture_output=True, text=True))


def output(done: subprocess.CompletedProcess[str]) -> str:
    """Standard output; of a command that failed everything it said, and the end."""
    if done.returncode:
        command = " ".join(x for x in done.args if "PIP_" not in x)  # an index may have a password
        sys.exit(f"{command}\n{done.stdout}{done.stderr}exit code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main(whole=sys.argv[1:] == ["whole"])
