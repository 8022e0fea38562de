"""Matrix products and convolutions alone, beside PyTorch's libraries and the machine's bounds.

    kernels.py JSON

The argument is a request: kind (matmul or conv), threads, rounds, target, whether there is a peer,
and of how many shapes (null: all). Formwork's form is an entry of the fw dialect whose operands all
come when it is called; both compute the same, which is checked. Products are MKL's, called from C as
Formwork's are; convolutions PyTorch's (oneDNN). Prints a row of JSON per shape.
"""

import ctypes
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys

request = json.loads(sys.argv[1])
os.environ.update(OMP_NUM_THREADS=str(request["threads"]), MKL_NUM_THREADS=str(request["threads"]))

import measure

measure.pin(request["threads"])

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import formwork_model
from native import BUILD, FOLDER, Native

# M, N, K.
PRODUCTS = [
    (16, 16, 16), (32, 32, 32), (64, 64, 64), (128, 128, 128), (256, 256, 256), (384, 384, 384),
    (512, 512, 512), (768, 768, 768), (1024, 1024, 1024),
    (1, 128, 784), (1, 512, 128), (1, 1000, 1024), (1, 4096, 1024), (2, 256, 256), (4, 768, 768),
    (7, 131, 61), (8, 512, 512), (13, 97, 401), (16, 1024, 256), (31, 33, 67),
    (32, 10, 128), (32, 32, 64), (32, 128, 640), (32, 128, 784), (32, 128, 1600), (32, 512, 128),
    (32, 768, 256), (64, 10, 32), (64, 3072, 768), (97, 101, 103), (100, 100, 100),
    (128, 768, 768), (128, 768, 3072), (197, 192, 192), (255, 257, 259), (512, 64, 512),
    (784, 128, 32), (1000, 33, 500), (2048, 96, 256), (3200, 512, 64),
]  # fmt: skip
MODES = {"a b": "nn", "aT b": "tn", "a bT": "nt"}  # how a and b lie in memory

# Images, height, width, channels, filters, window, stride, padding on each side.
CONVOLUTIONS = [
    (1, 28, 28, 1, 32, 3, 1, 0), (32, 28, 28, 1, 32, 3, 1, 0), (1, 13, 13, 32, 64, 3, 1, 0),
    (32, 13, 13, 32, 64, 3, 1, 0), (1, 56, 56, 64, 64, 3, 1, 1), (4, 56, 56, 64, 64, 3, 1, 1),
    (4, 56, 56, 64, 64, 1, 1, 0), (4, 56, 56, 64, 256, 1, 1, 0), (4, 56, 56, 256, 64, 1, 1, 0),
    (4, 28, 28, 128, 128, 3, 1, 1), (4, 28, 28, 256, 512, 1, 2, 0), (4, 14, 14, 256, 256, 3, 1, 1),
    (4, 7, 7, 512, 512, 3, 1, 1), (4, 57, 57, 64, 128, 3, 2, 0), (1, 224, 224, 3, 64, 7, 2, 3),
    (8, 32, 32, 3, 16, 3, 1, 1), (8, 31, 29, 17, 37, 3, 1, 1), (8, 17, 17, 13, 29, 5, 1, 2),
    (16, 16, 16, 32, 32, 5, 1, 2), (2, 112, 112, 32, 64, 1, 1, 0),
]  # fmt: skip


@dataclasses.dataclass
class Kernel:
    """One call: Formwork's text, its operands, and the same in PyTorch."""

    title: str
    flops: int
    operands: list  # arrays, by the order of the entry's inputs
    result: tuple  # its shape
    body: str  # defines %y of %0, %1, ... with types {0}, {1}, ..., {y}
    theirs: object  # of (native, target, operands): a sampler, and the result


def tensor_type(shape):
    return f"tensor<{'x'.join(map(str, shape))}xf32>"


def entry_text(name, kernel):
    types = [tensor_type(operand.shape) for operand in kernel.operands]
    arguments = ", ".join(
        f'%{i}: {kind} {{fw.name = "x{i}", fw.role = "input"}}' for i, kind in enumerate(types)
    )
    result = tensor_type(kernel.result)
    body = kernel.body.format(*types, y=result)
    return f"""
func.func @{name}({arguments}) -> ({result} {{fw.name = "y", fw.role = "output"}})
    attributes {{fw.entry = "{name}"}} {{
  {body}
  return %y : {result}
}}"""


def library(kind, kernels):
    folder = FOLDER / kind
    folder.mkdir(parents=True, exist_ok=True)
    module, path = folder / "kernels.mlir", folder / f"{kind}.so"
    module.write_text("".join(entry_text(f"k{i}", kernel) for i, kernel in enumerate(kernels)))
    subprocess.run([BUILD / "bin/kernel_library", module, path, kind], check=True)
    return formwork_model.Model(path, kind)


def random(*shape):
    return np.random.default_rng(0).random(shape, np.float32) - 0.5


def mkl_product():
    """MKL's sgemm, which PyTorch's library exports."""
    import torch

    return ctypes.CDLL(str(pathlib.Path(torch.__file__).parent / "lib/libtorch_cpu.so")).SGEMM


# ---- matrix products ----------------------------------------------------------------------------


def product(mode, m, n, k):
    a_shape, b_shape = (k, m) if mode[0] == "t" else (m, k), (n, k) if mode[1] == "t" else (k, n)
    contracted = (0 if mode[0] == "t" else 1, 1 if mode[1] == "t" else 0)

    def theirs(native, target, operands):
        out = np.empty((m, n), np.float32)
        sampler = native.product_sampler(mkl_product(), mode, m, n, k, *operands, out, target)
        sampler()
        return sampler, out

    sign = "%y = fw.dot_general %0, %1 contract [{}] x [{}] batch [] x [] : ".format(*contracted)
    spelled = next(words for words, letters in MODES.items() if letters == mode)
    return Kernel(
        f"{spelled:5} {m}x{n}x{k}", 2 * m * n * k, [random(*a_shape), random(*b_shape)], (m, n),
        sign + "({0}, {1}) -> {y}", theirs,
    )  # fmt: skip


# ---- convolutions -------------------------------------------------------------------------------


def channels_first(x):
    """A view, of what has its channels last in memory."""
    return x.permute(0, 3, 1, 2)


def backward(x, kernel, dy, stride, padding, which):
    """A closure: the gradient of x (0) or of the kernel (1), with channels last in memory."""
    import torch

    asked = [which == 0, which == 1, False]
    return lambda: torch.ops.aten.convolution_backward(
        dy, x, kernel, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, asked
    )[which]


def convolutions(n, height, width, channels, filters, window, stride, padding):
    """The convolution and both of its gradients."""
    rows, columns = ((size + 2 * padding - window) // stride + 1 for size in (height, width))
    x, kernel = random(n, height, width, channels), random(window, window, channels, filters)
    dy = random(n, rows, columns, filters)
    flops = 2 * n * rows * columns * filters * channels * window * window
    settings = f"strides [{stride}, {stride}] padding {[padding] * 4} dilations [1, 1] groups 1"
    title = f"{n}x{height}x{width}x{channels} to {filters}, {window}x{window}/{stride}"

    def as_kernel(kernel):
        import torch

        return kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)

    def forward(x, kernel):
        import torch

        x, kernel = channels_first(x), as_kernel(kernel)
        return lambda: torch.nn.functional.conv2d(x, kernel, None, stride, padding).permute(0, 2, 3, 1)

    def input_gradient(dy, kernel, like):
        call = backward(channels_first(like), as_kernel(kernel), channels_first(dy), stride, padding, 0)
        return lambda: call().permute(0, 2, 3, 1)

    def kernel_gradient(x, dy, like):
        call = backward(channels_first(x), as_kernel(like), channels_first(dy), stride, padding, 1)
        return lambda: call().permute(2, 3, 1, 0)

    def timed(call):
        def theirs(native, target, operands):
            import torch

            closure = call(*map(torch.from_numpy, operands))
            return lambda: measure.sample(closure, target), closure().numpy()

        return theirs

    def made(what, mnemonic, operands, result, theirs):
        places = ", ".join(f"%{i}" for i in range(len(operands)))
        types = ", ".join(f"{{{i}}}" for i in range(len(operands)))
        body = f"%y = fw.{mnemonic} {places} {settings} : ({types}) -> {{y}}"
        return Kernel(f"{what:2} {title}", flops, operands, result, body, timed(theirs))

    yield made("y", "conv", [x, kernel], dy.shape, forward)
    yield made("dx", "conv_input_grad", [dy, kernel, x], x.shape, input_gradient)
    yield made("dw", "conv_kernel_grad", [x, dy, kernel], kernel.shape, kernel_gradient)


def kernels(kind):
    if kind == "matmul":
        return [product(mode, *shape) for mode in MODES.values() for shape in PRODUCTS]
    return [kernel for shape in CONVOLUTIONS for kernel in convolutions(*shape)]


# ---- timing -------------------------------------------------------------------------------------


def torch_or_none():
    if not request["peer"]:
        return None
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(request["threads"])
    torch.set_grad_enabled(False)
    return torch


def check(title, ours, theirs):
    """Sums in another order differ, by far less than this."""
    difference = np.abs(ours - theirs).max() / max(1e-6, np.abs(theirs).max())
    if not difference < 1e-4:
        raise SystemExit(f"{title}: the results differ by {difference:.1e} of the largest")


def measure_kernel(native, torch, entry, kernel, context):
    call, outputs = entry.prepare(*kernel.operands, context=context)
    moved = sum(array.nbytes for array in [*kernel.operands, outputs["y"]])
    samplers = {
        "ours": native.sampler(call, request["target"]),
        "flops": native.flops_per_second,
        "bandwidth": lambda: native.bytes_per_second(moved),
    }
    call()
    if torch:
        samplers["theirs"], result = kernel.theirs(native, request["target"], kernel.operands)
        check(kernel.title, outputs["y"], result)
    results = measure.alternate(samplers, request["rounds"])
    probe, bandwidth = max(results["flops"]), max(results["bandwidth"])
    seconds = statistics.median(results["ours"])
    row = {
        "gflops": kernel.flops / seconds / 1e9,
        "gflops_probe": probe / 1e9,
        "gbytes_probe": bandwidth / 1e9,
        "share": max(kernel.flops / probe, moved / bandwidth) / seconds,
    }
    if torch:
        row["peer_gflops"] = kernel.flops / statistics.median(results["theirs"]) / 1e9
        row["ratio"] = measure.ratio(results["theirs"], results["ours"])
    return row


def main():
    kind, threads = request["kind"], request["threads"]
    chosen = kernels(kind)[: request["shapes"]]
    model = library(kind, chosen)
    native = Native(threads)
    context, torch = native.context(), torch_or_none()
    for index, kernel in enumerate(chosen):
        row = measure_kernel(native, torch, model.entries[f"k{index}"], kernel, context)
        print(json.dumps({"kind": kind, "threads": threads, "shape": kernel.title, **row}), flush=True)


main()
