"""The machine around the driver: device files, libraries, threads, WSL; each situation is made up."""

import errno

import pytest
import torch

from glrast.doctor import machine
from tests.doctor.findings import only

CPU = torch.device("cpu")


def refusing(code):
    def open_file(path, flags):
        raise OSError(code, "refused", str(path))

    return open_file


def test_wsl_is_recognised():
    found = only(machine.wsl("5.15.90.1-microsoft-standard-WSL2"))
    assert "WSL" in found.text and "304" in found.text and "host memory" in found.remedy
    assert machine.wsl("6.1.0-13-amd64") == []


def test_render_nodes_that_permissions_close_name_the_groups(tmp_path):
    (tmp_path / "renderD128").touch()
    found = only(machine.render_nodes(tmp_path, refusing(errno.EACCES)))
    assert "renderD128 (group " in found.text and "Permission denied" in found.text
    assert "video and render" in found.remedy
    assert machine.render_nodes(tmp_path) == []  # it can be opened


def test_render_nodes_that_a_cgroup_closes_name_the_container(tmp_path):
    (tmp_path / "renderD128").touch()
    found = only(machine.render_nodes(tmp_path, refusing(errno.EPERM)))
    assert "cgroup" in found.remedy and "--device /dev/dri" in found.remedy


def test_an_extension_of_moderngl_that_does_not_import_is_a_fault():
    def load(name):
        if name == "moderngl.mgl":
            raise ImportError("moderngl.mgl: undefined symbol: PyFoo")

    found = only(machine.moderngl(load))
    assert found.state == "fault" and "undefined symbol" in found.text
    assert "pip install --force-reinstall" in found.remedy
    assert machine.moderngl() == []


def test_an_old_libstdcxx_of_conda_is_named(tmp_path):
    library, maps = tmp_path / "libstdc++.so.6.0.28", tmp_path / "maps"
    maps.write_text(f"7f00-7f01 r-xp 00000000 08:01 42    {library}\n7f02-7f03 rw-p 0 0:0 0 \n")
    library.write_bytes(b"\x7fELF GLIBCXX_3.4.28\0")
    found = only(machine.libstdcxx(maps))
    assert str(library) in found.text and "GLIBCXX_3.4.30" in found.text
    gone = f"7f04-7f05 r-xp 0 08:01 43    {tmp_path}/a/libstdc++.so.6 (deleted)\n"
    maps.write_text(gone + maps.read_text())
    assert str(library) in only(machine.libstdcxx(maps)).text  # one that is gone hides no other
    assert "conda install" in found.remedy
    library.write_bytes(b"\x7fELF GLIBCXX_3.4.28\0GLIBCXX_3.4.30\0")
    assert machine.libstdcxx(maps) == []
    assert machine.libstdcxx(tmp_path / "none") == []


@pytest.mark.parametrize(
    "device, environ, cores, noted",
    [
        ("cpu", {}, 2, True),
        ("cpu", {"OMP_WAIT_POLICY": "active"}, 4, True),
        ("cpu", {"OMP_WAIT_POLICY": "passive"}, 2, False),
        ("cpu", {}, 64, False),
        ("cuda", {}, 2, False),
    ],
)
def test_spinning_threads_on_few_cores_are_noted(device, environ, cores, noted):
    found = machine.spinning_threads(torch.device(device), environ, cores)
    assert bool(found) == noted
    assert not noted or "OMP_WAIT_POLICY=PASSIVE" in only(found).remedy
