"""Other libraries with an LLVM, a libstdc++ or an OpenGL of their own, loaded before and after glrast: the table of
docs/clashes.md.

    .venv/bin/python tools/clashes.py numba jax ...      # without names all; prints rows, one package at a time

Each package is installed in a virtual environment that is deleted afterwards, up to gigabytes, and sees this one's
torch and glrast behind its own. Every cell is a fresh process; `works`, the signal that ended it, or the error.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

# What makes each library work, not just load; beside a library what it is used with
USES = {
    "triton": "import triton, triton._C.libtriton\nimport torch; torch.optim.Adam([torch.zeros(2)])",
    "numba": "import numba\nassert numba.njit(lambda x: x * 2.0)(2.0) == 4.0",
    "llvmlite": """
import llvmlite.binding as b
b.initialize_native_target(); b.initialize_native_asmprinter()
m = b.parse_assembly('define i32 @f(i32 %x) {\\n %y = add i32 %x, 1\\n ret i32 %y\\n}')
e = b.create_mcjit_compiler(m, b.Target.from_default_triple().create_target_machine()); e.finalize_object()
import ctypes; assert ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(e.get_function_address('f'))(1) == 2""",
    "tensorflow-cpu": """
import tensorflow as tf
assert tf.function(lambda x: tf.reduce_sum(x @ x), jit_compile=True)(tf.ones((4, 4))).numpy() == 64""",
    "jax": "import jax, jax.numpy as jnp\nassert jax.jit(lambda x: (x @ x).sum())(jnp.ones((4, 4))) == 64",
    "taichi": """
import taichi as ti
ti.init(arch=ti.cpu, offline_cache=False)
x = ti.field(ti.f32, 4)
x.fill(2.0)
assert x.to_numpy().sum() == 8""",
    "drjit": """
import drjit as dr
from drjit.llvm import Float
assert dr.sum(dr.arange(Float, 10) * 2)[0] == 90""",
    "mitsuba": """
import mitsuba as mi, drjit as dr, numpy as np
mi.set_variant('llvm_ad_rgb')  # with LLVM 15 it aborts without glrast too: apt-get install libllvm19
scene = mi.cornell_box(); scene['sensor']['film']['width'] = scene['sensor']['film']['height'] = 16
scene = mi.load_dict(scene); p = mi.traverse(scene); red = 'red.reflectance.value'
dr.enable_grad(p[red]); dr.backward(dr.mean(mi.render(scene, p, spp=1)))
assert np.all(np.array(dr.grad(p[red])) > 0)""",
    "open3d-cpu": """
import open3d as o3d
ball = o3d.geometry.TriangleMesh.create_sphere(); ball.compute_vertex_normals()
assert len(ball.subdivide_loop(2).triangles) > 1000""",
    "vtk": """
import vtk
source, mapper, actor = vtk.vtkSphereSource(), vtk.vtkPolyDataMapper(), vtk.vtkActor()
mapper.SetInputConnection(source.GetOutputPort()); actor.SetMapper(mapper)
renderer, window = vtk.vtkRenderer(), vtk.vtkRenderWindow(); renderer.AddActor(actor)
window.SetOffScreenRendering(1); window.SetSize(64, 64); window.AddRenderer(renderer); window.Render()
grab = vtk.vtkWindowToImageFilter(); grab.SetInput(window); grab.Update()
assert grab.GetOutput().GetScalarRange()[1] > 0""",
    "pyvista": """
import pyvista as pv
pl = pv.Plotter(off_screen=True, window_size=(64, 64)); pl.add_mesh(pv.Sphere())
image = pl.screenshot(return_img=True); assert image.std() > 0; pl.close()""",
    "moderngl": """
import moderngl
c = moderngl.create_context(standalone=True, backend='egl', require=330)
assert c.simple_framebuffer((4, 4)).read() and 'llvmpipe' in c.info['GL_RENDERER']""",
    "PyOpenGL": """
import os; os.environ |= {'PYOPENGL_PLATFORM': 'egl', 'EGL_PLATFORM': 'surfaceless'}
from OpenGL import EGL
display = EGL.eglGetDisplay(EGL.EGL_DEFAULT_DISPLAY)
assert EGL.eglInitialize(display, EGL.EGLint(), EGL.EGLint())""",
    "pyrender": """
import os; os.environ['PYOPENGL_PLATFORM'] = 'egl'
import numpy as np
np.infty = np.inf  # which it still asks for
import pyrender, trimesh
s = pyrender.Scene(); s.add(pyrender.Mesh.from_trimesh(trimesh.creation.icosphere()))
pose = np.eye(4); pose[2, 3] = 3; s.add(pyrender.PerspectiveCamera(1.0), pose=pose)
color, depth = pyrender.OffscreenRenderer(32, 32).render(s); assert depth.max() > 1""",
    "PySide6": """
import os; os.environ['QT_QPA_PLATFORM'] = 'offscreen'
from PySide6.QtGui import QGuiApplication, QImage, QPainter
app = QGuiApplication.instance() or QGuiApplication([])
i = QImage(8, 8, QImage.Format.Format_RGB32); p = QPainter(i); p.drawLine(0, 0, 8, 8); p.end()""",
    "PySide6 matplotlib": """
import os; os.environ['QT_QPA_PLATFORM'] = 'offscreen'
import numpy as np
from PySide6.QtWidgets import QApplication
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg  # pyplot refuses it without a screen
from matplotlib.figure import Figure
app = QApplication.instance() or QApplication([])
canvas = FigureCanvasQTAgg(Figure()); canvas.figure.subplots().plot([0, 1]); canvas.draw()
assert np.asarray(canvas.buffer_rgba()).std() > 0""",
    "opencv-python-headless": "import cv2, numpy\nassert cv2.GaussianBlur(numpy.ones((9, 9)), (3, 3), 1).all()",
    "opencv-python": "import cv2, numpy\nassert cv2.GaussianBlur(numpy.ones((9, 9)), (3, 3), 1).all()",
    "onnxruntime onnx": """
import onnxruntime as ort
from onnx import helper as h, TensorProto
a, b = (h.make_tensor_value_info(n, TensorProto.FLOAT, [4, 4]) for n in 'ab')
g = h.make_graph([h.make_node('MatMul', ['a', 'a'], ['b'])], 'g', [a], [b])
m = h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8)
import numpy as np
s = ort.InferenceSession(m.SerializeToString(), providers=['CPUExecutionProvider'])
assert s.run(None, {'a': np.ones((4, 4), 'f')})[0].sum() == 64""",
    "kornia": """
import torch, kornia
assert kornia.filters.gaussian_blur2d(torch.ones(1, 1, 9, 9), (3, 3), (1.0, 1.0)).min() > 0""",
}  # fmt: skip

GLRAST = """
import torch, glrast
pos = torch.tensor([[[-0.8, -0.8, 0, 1], [0.8, -0.8, 0, 1], [0, 0.8, 0, 1.0]]], requires_grad=True)
tri = torch.tensor([[0, 1, 2]])
rast, _ = glrast.rasterize(glrast.Context("cpu"), pos, tri, (33, 17))
image = glrast.antialias(glrast.interpolate(torch.eye(3), rast, tri)[0], rast, pos, tri)
torch.autograd.grad(image.sum(), pos)
"""
# Mesa's driver opened by somebody else, with its symbols global.
DRIVER = """
import ctypes
egl, P = ctypes.CDLL("libEGL.so.1"), ctypes.c_void_p
egl.eglGetProcAddress.restype = P
def call(name, result, *types): return ctypes.CFUNCTYPE(result, *types)(egl.eglGetProcAddress(name))
devices, count = (P * 8)(), ctypes.c_int()
call(b"eglQueryDevicesEXT", ctypes.c_uint, ctypes.c_int, P, P)(8, devices, ctypes.byref(count))
display = call(b"eglGetPlatformDisplayEXT", P, ctypes.c_uint, P, P)(0x313F, devices[count.value - 1], None)
egl.eglInitialize.argtypes = [P] * 3
assert egl.eglInitialize(display, None, None)
"""
USE = "the package's use"
ORDERS = {
    "alone": (USE,),
    "before glrast": (USE, GLRAST, USE),
    "after glrast": (GLRAST, USE, GLRAST),
    "after another's llvmpipe, no glrast": (DRIVER, USE),
    "after both": (DRIVER, GLRAST, USE, GLRAST),
}


def main(names: list[str]) -> None:
    print("| package | version | " + " | ".join(ORDERS) + " |\n|---|---|" + "---|" * len(ORDERS))
    for name in names or USES:
        with tempfile.TemporaryDirectory() as folder:
            print(row(name, USES[name], Path(folder)), flush=True)


def row(name: str, use: str, folder: Path) -> str:
    """The package's line of the table."""
    python = environment(folder)
    pip = [python, "-m", "pip", "install", "-q", *name.split()]
    installed = subprocess.run(pip, capture_output=True, text=True)
    if installed.returncode:
        return f"| {name} | | not to be had: {last_line(installed.stderr)} |"
    asked = f"from importlib.metadata import version; print(*map(version, {name.split()}))"
    version = subprocess.run([python, "-c", asked], capture_output=True, text=True).stdout.strip()
    orders = [[use if part is USE else part for part in parts] for parts in ORDERS.values()]
    cells = (result(python, parts, folder) for parts in orders)
    return f"| {name} | {version} | {' | '.join(cells)} |"


def environment(folder: Path) -> str:
    """The Python of a new virtual environment that has this one's packages behind its own."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = str(folder / "venv" / "bin" / "python")
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", asked], capture_output=True, text=True).stdout.strip()
    behind = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (Path(packages) / "zz_behind.pth").write_text(behind)
    return python


def result(python: str, parts: list[str], folder: Path) -> str:
    """How a process ends that does `parts` one after the other."""
    (folder / "script.py").write_text("\n".join(parts))  # numba and torch.compile want a file
    command = [python, str(folder / "script.py")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=folder)
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode < 0:
        return f"dies of {signal.Signals(-done.returncode).name}"
    return "works" if done.returncode == 0 else last_line(done.stderr)


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if not line.startswith("WARNING")]
    if not lines:
        return "fails without a word"
    of_egl = re.search(r"EGL_BAD_\w+", lines[-1])
    return of_egl.group() if of_egl else lines[-1][:120].replace("|", "/")


if __name__ == "__main__":
    main(sys.argv[1:])
