"""What a program sees under `python -m glrast.shim --device cpu`; prints {fact: value}."""

import importlib.metadata
import json
import threading

import nvdiffrast
import nvdiffrast.torch as dr
import torch
from torch.utils import _device

facts = {}


def fact(name):
    def keep(find):
        try:
            facts[name] = find()
        except Exception as error:
            facts[name] = f"{type(error).__name__}: {error}"
        return find

    return keep


def on_cpu(*tensors):
    return all(t.device.type == "cpu" for t in tensors)


cuda = torch.device("cuda:0")
x = torch.ones(2)


@fact("factories that PyTorch lists and that are not exchanged")
def factories():
    spaces = (torch, torch.fft, torch.nested)
    return sorted(
        made.__name__
        for made in _device._device_constructors()
        if not any(
            hasattr(getattr(s, made.__name__.split("fft_")[-1], None), "__wrapped__")
            for s in spaces
        )
        and made.__name__ not in ("load",)
    )


@fact("tensors are made")
def made():
    like = (torch.zeros_like(x, device="cuda"), torch.full_like(x, 2.0, device=cuda))
    return on_cpu(
        torch.zeros(3, device="cuda"), torch.tensor([1], device=cuda), torch.randn(2, device=0),
        torch.arange(3, device="cuda:1"), torch.as_tensor([1.0], dtype=torch.float32, device="cuda"), *like,
        torch.fft.fftfreq(4, device="cuda"), torch.empty(2, device="cuda", pin_memory=True),
    )  # fmt: skip


@fact("tensors are moved")
def moved():
    return on_cpu(
        x.cuda(), x.cuda(0, non_blocking=True), x.to("cuda"), x.to(0), x.to(cuda, torch.float64), x.to(device="cuda"),
        x.to(torch.zeros(1, device=cuda)), x.pin_memory(), x.new_zeros(2, device="cuda"),
        x.new_tensor([1], device=cuda),        x.type(torch.cuda.FloatTensor), x.type("torch.cuda.DoubleTensor"),
    )  # fmt: skip


@fact("what is converted on the way")
def converted():
    return [
        str(x.to("cuda", torch.float64).dtype),
        str(x.type("torch.cuda.HalfTensor").dtype),
        x.cuda() is x,
    ]


@fact("modules")
def modules():
    layer = torch.nn.Linear(2, 3, device="cuda").cuda().to("cuda:0", torch.float64).to(device=cuda)
    return on_cpu(layer.weight) and layer.weight.dtype == torch.float64


@fact("defaults")
def defaults():
    with torch.device("cuda"):
        within = torch.ones(1)
    torch.set_default_device("cuda")
    default = torch.ones(1)
    torch.set_default_device(None)
    torch.set_default_tensor_type("torch.cuda.FloatTensor")
    typed = torch.ones(1)
    torch.set_default_tensor_type(torch.FloatTensor)
    return on_cpu(within, default, typed)


@fact("generators")
def generators():
    drawn = [
        torch.rand(2, generator=torch.Generator(device=d).manual_seed(7)) for d in ("cuda", "cpu")
    ]
    is_one = isinstance(torch.default_generator, torch.Generator)
    return torch.equal(*drawn) and is_one and isinstance(torch.Generator("cuda"), torch.Generator)


@fact("files")
def files():
    import io

    def saved():
        file = io.BytesIO()
        torch.save({"x": x}, file)
        file.seek(0)
        return file

    places = ("cuda", cuda, None, {"cuda:0": "cuda:1"}, lambda storage, where: storage)
    return on_cpu(*(torch.load(saved(), map_location=place)["x"] for place in places))


@fact("inside backward, and in another thread")
def elsewhere():
    seen = []

    class Noise(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            return value.clone()

        @staticmethod
        def backward(ctx, grad):
            seen.append(torch.ones(2, device="cuda"))
            return grad * seen[-1].cuda()

    at = torch.ones(2, requires_grad=True)
    Noise.apply(at).sum().backward()
    thread = threading.Thread(target=lambda: seen.append(torch.zeros(1, device="cuda")))
    thread.start()
    thread.join()
    return len(seen) == 2 and on_cpu(*seen)


@fact("torch.cuda")
def waiting():
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream), torch.cuda.device(0):
        start.record(stream)
        end.record()
    stream.wait_stream(torch.cuda.current_stream())
    x.record_stream(stream)
    torch.cuda.synchronize()
    torch.cuda.nvtx.range_push("x")
    torch.cuda.nvtx.range_pop()
    torch.cuda.manual_seed_all(0)
    torch.cuda.reset_peak_memory_stats()
    free, total = torch.cuda.mem_get_info()
    return (
        start.elapsed_time(end) >= 0
        and 0 < free < total
        and torch.cuda.max_memory_allocated() > 1 << 20
    )


@fact("is there a GPU")
def available():
    return [torch.cuda.is_available(), x.cuda().is_cuda, torch.cuda.device_count()]


@fact("compiled and scripted")
def compiled():
    @torch.jit.script
    def scripted(value):
        return value + torch.zeros_like(value) + torch.ones(2)

    built = torch.compile(lambda value: value + torch.ones(2, device="cuda"), backend="eager")
    return [scripted(x).tolist(), built(x).tolist()]


@fact("interface")
def interface():
    contexts = [
        dr.RasterizeCudaContext(device=0),
        dr.RasterizeGLContext(device=cuda),
        dr.RasterizeGLContext(),
    ]
    known = all(isinstance(c, dr.RasterizeCudaContext) and str(c.device) == "cpu" for c in contexts)
    return [
        nvdiffrast.__version__,
        importlib.metadata.version("nvdiffrast"),
        known,
        dr.ops.rasterize is dr.rasterize,
    ]


@fact("the plugin")
def plugin():
    return dr.ops._get_plugin(gl=True).rasterize_fwd


print(json.dumps(facts))
