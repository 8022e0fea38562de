"""Produced programs and libraries with code for GPUs: their whole way, from upload to checkpoint.

Without a GPU they run on tests/cuda/fake_driver.cpp, which is strict about what belongs to whom and
what happens when. With FORMWORK_CUDA_NATIVE=1 they run on the driver and the GPU that are there;
what only a fake driver can show is left out then.
"""

import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", ROOT / "build"))
sys.path[:0] = [str(ROOT / "tests/python"), str(ROOT / "tests/training"), str(ROOT / "tests/cuda")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0" if os.environ.get("FORMWORK_CUDA_NATIVE") else "")

import models
import numpy as np
from cases import Failure, run_cases
from kernels import compile_for_cpu

FORMWORK = BUILD / "bin/formwork"
NATIVE = bool(os.environ.get("FORMWORK_CUDA_NATIVE"))
ARCHITECTURES = ["sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100", "sm_120"]
COUNT = 150  # examples: whole batches of 32, and one that is none


def execute(*command, environment={}, status=0):
    process = subprocess.run(
        [str(c) for c in command],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **{k: str(v) for k, v in environment.items()}},
    )
    if process.returncode != status:
        raise Failure(
            f"{' '.join(map(str, command))}\nends with {process.returncode} instead of {status}:\n"
            f"{process.stderr[-3000:]}"
        )
    return process


def expect(condition, message):
    if not condition:
        raise Failure(message)


class Compiled:
    """A model, its data, and a program that has code for the CPU and for a GPU; made once."""

    def __init__(self, folder, name, floatx, signature):
        folder.mkdir()
        self.folder, self.name = folder, name
        self.model, self.data = models.build(name, COUNT, floatx)
        self.archive, self.npz = folder / f"{name}.keras", folder / f"{name}.npz"
        self.model.save(self.archive)
        np.savez(self.npz, **self.data)
        self.program = folder / name
        self.options = ["--train", *(self.signatures() if signature else [])]
        self.compile("host,cuda:sm_90", self.program)
        self.library = None if NATIVE else self.kernels()

    def signatures(self):
        """Batches of 32 have code of their own."""
        types = {"float64": "f64", "float32": "f32", "int32": "i32", "int64": "i64"}
        inputs = [f"{t.name}:{types[str(t.dtype)]}{[32, *t.shape[1:]]}".replace(" ", "") for t in self.model.inputs]
        return ["--signature", " ".join(inputs)]

    def compile(self, target, output, *options):
        execute(FORMWORK, "compile", self.archive, "-o", output, "--target", target, *self.options, *options)
        return output

    def kernels(self):
        source = self.compile("cuda:sm_90", self.folder / "source", "--emit=cuda", "--name=kernels")
        return compile_for_cpu(source / "kernels.cu", self.folder / f"{self.name}_kernels.so")


class Case:
    """A compiled model, and a folder for what becomes of it."""

    made = {}
    place = None  # of all that is compiled

    def __init__(self, folder, name, floatx="float64", signature=True):
        key = f"{name}_{floatx}_{signature}"
        if key not in Case.made:
            Case.made[key] = Compiled(Case.place / key, name, floatx, signature)
        compiled = Case.made[key]
        self.folder = folder
        self.archive, self.npz, self.program = compiled.archive, compiled.npz, compiled.program
        self.compile, self.options = compiled.compile, compiled.options
        self.environment = {"FORMWORK_DEVICE": 0}
        if not NATIVE:
            self.environment |= fake_driver(compiled.library, folder / "report")

    def on(self, device, *arguments, status=0):
        environment = self.environment if device == "gpu" else {"FORMWORK_DEVICE": "cpu"}
        return execute(self.program, *arguments, environment=environment, status=status)

    def train(self, device, out, epochs=2, *options):
        path = self.folder / f"{out}_{device}.safetensors"
        self.on(device, "train", "--data", self.npz, "--epochs", epochs, "--batch-size", 32, "-o", path, *options)
        return path

    def report(self):
        lines = (self.folder / "report").read_text().splitlines()
        return {name: int(count) for name, count in (line.rsplit(" ", 1) for line in lines)}


def fake_driver(kernels, report):
    return {
        "LD_LIBRARY_PATH": BUILD / "tests/cuda/driver",
        "FORMWORK_FAKE_KERNELS": kernels,
        "FORMWORK_FAKE_REPORT": report,
    }


def read_safetensors(path):
    import json

    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header.pop("__metadata__", None)
    types = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32, "BOOL": np.bool_}
    body = content[8 + size :]
    return {
        name: np.frombuffer(body[slice(*at["data_offsets"])], types[at["dtype"]]) for name, at in header.items()
    }


def check_close(ours, theirs, tolerance):
    """Each variable within `tolerance` of its norm; a norm below 1e-2 counts as that."""
    a, b = read_safetensors(ours), read_safetensors(theirs)
    expect(set(a) == set(b), f"other variables: {sorted(set(a) ^ set(b))}")
    for name, value in b.items():
        error = np.linalg.norm(np.float64(a[name]) - value) / max(np.linalg.norm(np.float64(value)), 1e-2)
        expect(error <= tolerance, f"{name} is off by {error:.1e}")


# In float64 two correct orders of summation differ by rounding alone, as in tests/training.
TOLERANCE = 1e-7


def trains_like_the_cpu(folder, name):
    case = Case(folder, name)
    check_close(case.train("gpu", "out"), case.train("cpu", "out"), TOLERANCE)


def predicts_like_the_cpu(folder, name):
    case = Case(folder, name)
    outputs = []
    for device in ("gpu", "cpu"):
        path = folder / f"answers_{device}.npz"
        case.on(device, "predict", "--input", case.npz, "-o", path, "--batch-size", 32)
        outputs.append(np.load(path))
    ours, theirs = outputs
    for key in theirs.files:
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-9, atol=1e-9)


def evaluates_like_the_cpu(folder):
    case = Case(folder, "two_outputs")
    printed = [
        case.on(device, "evaluate", "--data", case.npz, "--batch-size", 32, "--json").stdout for device in ("gpu", "cpu")
    ]
    import json

    ours, theirs = map(json.loads, printed)
    expect(ours.keys() == theirs.keys(), f"{ours} beside {theirs}")
    for key, value in theirs.items():
        expect(abs(ours[key] - value) <= 1e-9 * max(1, abs(value)), f"{key}: {ours[key]} and {value}")


def resumes_to_the_bit(folder):
    case = Case(folder, "dropped", "float32")
    whole, half = case.train("gpu", "whole", 4), case.train("gpu", "half", 2)
    rest = case.train("gpu", "rest", 4, "--initial-epoch", 2, "--weights", half)
    a, b = read_safetensors(whole), read_safetensors(rest)
    different = [name for name in a if a[name].tobytes() != b[name].tobytes()]
    expect(not different, f"different bits in {different}")


def goes_on_from_the_cpu(folder):
    """A checkpoint does not know where it was made."""
    case = Case(folder, "digits")
    half = case.train("cpu", "half", 1)
    check_close(
        case.train("gpu", "rest", 2, "--initial-epoch", 1, "--weights", half), case.train("cpu", "whole", 2), TOLERANCE
    )


def works_without_stalls(folder):
    """Per batch one upload, one graph and one download, and nothing that waits."""
    case = Case(folder, "digits", "float32")
    reports = []
    for epochs in (2, 4):  # in the first, the arena grows with the last batch
        case.train("gpu", "out", epochs, "--quiet")
        reports.append(case.report())
    first, last = reports
    steps = 2 * (COUNT // 32 + 1)
    more = {name: last[name] - first.get(name, 0) for name in last}
    # reset_metrics and metrics once per epoch, beside the steps; the metrics are read back at once.
    expect(more["upload"] == steps, f"{more['upload']} uploads in {steps} steps")
    expect(more["download"] == steps + 2, f"{more['download']} downloads in {steps} steps")
    expect(more["graph"] == steps + 4, f"{more['graph']} graphs in {steps} steps")
    for name in ("launch", "record", "instantiate", "allocate", "download at once", "upload at once"):
        expect(more.get(name, 0) == 0, f"{name}: {more[name]} times more in four epochs than in two")


def keeps_graphs_when_memory_moves(folder):
    """The arena grows with the last, larger batch: graphs of other sizes get new addresses."""
    case = Case(folder, "digits", "float32", signature=False)
    for size in (8, 64):
        ours, theirs = (
            case.folder / f"{size}_{device}.npz"
            for device in ("gpu", "cpu")
        )
        for device, path in (("gpu", ours), ("cpu", theirs)):
            case.on(device, "predict", "--input", case.npz, "-o", path, "--batch-size", size)
        for key in np.load(theirs).files:
            np.testing.assert_allclose(np.load(ours)[key], np.load(theirs)[key], rtol=1e-4, atol=1e-5)


#---- where there is no GPU ----------------------------------------------------------------------


NO_DRIVER = {"LD_LIBRARY_PATH": "", "FORMWORK_FAKE_KERNELS": ""}


def falls_back_and_says_so(folder):
    case = Case(folder, "digits")
    out = folder / "out.npy"
    said = execute(case.program, "predict", "--input", case.npz, "-o", out, environment=NO_DRIVER).stderr
    expect("runs on the CPU" in said and "libcuda.so.1" in said, said)
    expect(out.exists(), "nothing was predicted")


def refuses_where_it_cannot_run(folder):
    case = Case(folder, "digits")
    alone = case.compile("cuda:sm_90", folder / "alone")
    arguments = ["predict", "--input", case.npz, "-o", folder / "out.npy"]
    said = execute(alone, *arguments, environment=NO_DRIVER, status=1).stderr
    expect("needs a GPU" in said and "libcuda.so.1" in said, said)
    said = execute(alone, *arguments, environment={"FORMWORK_DEVICE": "cpu"}, status=1).stderr
    expect("--target=host,cuda" in said, said)
    said = execute(case.program, *arguments, environment={**NO_DRIVER, "FORMWORK_DEVICE": 0}, status=1).stderr
    expect("needs a GPU" in said, said)
    said = execute(case.program, *arguments, environment={"FORMWORK_DEVICE": "tpu"}, status=1).stderr
    expect("FORMWORK_DEVICE" in said, said)
    said = case.on("gpu", *arguments).stderr
    expect(said == "", said)
    expect(not (folder / "out.npy").stat().st_size == 0, "nothing was predicted")


def says_which_gpu_it_is_not_for(folder):
    case = Case(folder, "digits")
    environment = {**case.environment, "FORMWORK_FAKE_CAPABILITY": 75}
    arguments = ["predict", "--input", case.npz, "-o", folder / "out.npy"]
    said = execute(case.program, *arguments, environment=environment, status=1).stderr
    expect("not compiled for this GPU" in said and "sm_75" in said, said)


def loads_what_suits_the_gpu(folder):
    case = Case(folder, "digits", "float32", signature=False)
    targets = ",".join(f"cuda:{name}" for name in ("sm_80", "sm_86", "sm_90a"))
    program = case.compile(targets, folder / "many", "--accept-spills=*")
    for capability, kind in ((80, "cubin"), (86, "cubin"), (89, "cubin"), (90, "cubin"), (120, "ptx")):
        environment = {**case.environment, "FORMWORK_FAKE_CAPABILITY": capability}
        execute(program, "predict", "--input", case.npz, "-o", folder / "out.npy", environment=environment)
        expect(case.report().get(f"load {kind}") == 1, f"sm_{capability} loads {case.report()}")


#---- libraries ----------------------------------------------------------------------------------


def tells_status_without_a_device(folder):
    """A library for GPUs alone, called without one."""
    case = Case(folder, "digits")
    library = ctypes.CDLL(str(case.compile("cuda:sm_90", folder / "libalone.so", "--emit=shared", "--name=alone")))
    dims = (ctypes.c_int64 * 1)(32)
    no_device = 2  # FORMWORK_NO_DEVICE
    expect(library.alone_predict__32(None, None, None, None, dims, None) == no_device, "another status")
    context = (ctypes.c_void_p * 3)()
    expect(library.alone_predict__32(context, None, None, None, dims, None) == no_device, "another status")
    dims[0] = 31
    expect(library.alone_predict__32(None, None, None, None, dims, None) == 1, "another status for wrong sizes")


def headers_class_runs_on_both(folder):
    """Static libraries of two models, with their runtime, in one program without warnings."""
    case = Case(folder, "digits", "float32", signature=False)
    train = case.compile("host,cuda:sm_90", folder / "liblearn.a", "--emit=static", "--name=learn")
    infer = folder / "libinfer.a"
    execute(FORMWORK, "compile", case.archive, "-o", infer, "--emit=static", "--name=infer", "--target=host,cuda:sm_90")
    options = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{folder}"]
    program = folder / "use"
    execute("g++", *options, ROOT / "tests/cuda/use_class.cpp", train, infer, "-ldl", "-o", program)
    on_cpu = execute(program).stdout.split()
    on_gpu = execute(program, "gpu", environment=case.environment).stdout.split()
    expect(len(on_cpu) == len(on_gpu) == 7, f"{on_cpu} {on_gpu}")
    np.testing.assert_allclose(np.float64(on_gpu), np.float64(on_cpu), rtol=1e-3, atol=2e-4)  # of four digits
    said = subprocess.run([program, "gpu"], capture_output=True, text=True, env={**os.environ, **NO_DRIVER})
    expect(NATIVE or said.returncode == 1 and "libcuda.so.1" in said.stderr, said.stderr)


def needs_only_libc(folder):
    case = Case(folder, "digits")
    library = case.compile("host,cuda:sm_90", folder / "lib.so", "--emit=shared")
    needed = execute("readelf", "-d", library).stdout
    libraries = [line.split("[")[1].rstrip("]") for line in needed.splitlines() if "NEEDED" in line]
    expect(libraries == ["libc.so.6"], f"needs {libraries}")
    exported = execute("nm", "-D", "--defined-only", library).stdout.split()[2::3]
    strangers = [name for name in exported if not name.startswith("digits_") or "__host" in name]
    expect(not strangers, f"exports {strangers}")


def has_no_variable_globals(folder):
    """Nothing hidden that two threads could share: no writable data, no constructors."""
    case = Case(folder, "digits")
    archive = case.compile("cuda:sm_90", folder / "lib.a", "--emit=static")
    sections = execute("size", "-A", archive).stdout.splitlines()
    writable = [line for line in sections if line.startswith((".data ", ".bss ", ".init_array", ".tdata", ".tbss"))]
    expect(not [line for line in writable if line.split()[1] != "0"], "\n".join(writable))


def is_the_same_each_time(folder):
    case = Case(folder, "digits", "float32", signature=False)
    for emit in ("static", "shared", "cuda", "ptx"):
        paths = []
        for number in (1, 2):
            (folder / str(number)).mkdir(exist_ok=True)
            path = case.compile("cuda:sm_90", folder / str(number) / emit, f"--emit={emit}")
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            paths.append({file.name: file.read_bytes() for file in files})
        expect(paths[0] == paths[1], f"two of {emit} differ")


#---- compiling ----------------------------------------------------------------------------------


def compiles_for_every_architecture(folder, name):
    case = Case(folder, name, "float32", signature=False)
    targets = ",".join(f"cuda:{architecture}" for architecture in ARCHITECTURES)
    command = [FORMWORK, "compile", case.archive, "-o", folder / "all", "--target", targets, *case.options]
    reported = execute(*command, "--resources", "--accept-spills=*").stderr
    for architecture in ARCHITECTURES:
        expect(f"\n{architecture} " in "\n" + reported, f"nothing is reported for {architecture}")


def products_use_what_gpus_have(folder):
    """Asynchronous copies always, tensor cores where rounding to TF32 is allowed."""
    case = Case(folder, "wide", "float32", signature=False)
    plain = case.compile("cuda:sm_90", folder / "plain.ptx", "--emit=ptx").read_text()
    rounded = case.compile("cuda:sm_90", folder / "rounded.ptx", "--emit=ptx", "--tf32").read_text()
    expect("cp.async" in plain and "cp.async" in rounded, "no asynchronous copies")
    expect("mma.sync" in rounded and "mma.sync" not in plain, "tensor cores where they should not be, or none")


def source_stands_alone(folder):
    """What --emit=cuda writes compiles by itself, with names that a model should not have."""
    case = Case(folder, "text")
    source = case.compile("cuda:sm_90", folder / "source", "--emit=cuda", "--name=own")
    expect({"own.cu", "own_kernels.h", "README.md"} <= {p.name for p in source.iterdir()}, "files are missing")
    (folder / "use.cpp").write_text('#include "own_kernels.h"\nint main() { return sizeof(own_kernels) == 0; }\n')
    options = ["-std=c++17", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror"]
    execute("g++", *options, f"-I{source}", folder / "use.cpp", "-o", folder / "use")
    execute(folder / "use")


def tells_what_to_install(folder):
    case = Case(folder, "digits")
    command = [FORMWORK, "compile", case.archive, "-o", folder / "none", "--target=cuda:sm_90"]
    said = execute(*command, environment={"FORMWORK_NVRTC": folder / "libnvrtc.so"}, status=1).stderr
    expect("nvidia-cuda-nvrtc" in said, said)
    expect(not (folder / "none").exists(), "something half-written stays")


def refuses_odd_targets(folder):
    case = Case(folder, "digits")
    for target, emit, words in (
        ("cuda:sm_1", "exe", "there is no target 'cuda:sm_1'"),
        ("host,x86-64-v3", "exe", "are both CPUs"),
        ("host", "cuda", "needs a GPU in --target"),
        ("cuda:sm_90", "cpp", "leave GPUs out"),
        ("cuda:sm_80,cuda:sm_90", "ptx", "name one GPU"),
        ("cuda:sm_90", "obj", "--emit=static"),
    ):
        command = [FORMWORK, "compile", case.archive, "-o", folder / "odd", f"--target={target}", f"--emit={emit}"]
        process = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=100)
        expect(process.returncode in (1, 2) and words in process.stderr, f"{target} {emit}: {process.stderr}")
        expect(not (folder / "odd").exists(), f"{target} {emit}: something half-written stays")


NAMES = ("digits", "two_inputs", "two_outputs", "images", "text", "wide")
WITH_ANY_DRIVER = {
    **{f"{name} trains as on the CPU": (trains_like_the_cpu, name) for name in NAMES},
    **{f"{name} predicts as on the CPU": (predicts_like_the_cpu, name) for name in ("text", "images", "two_outputs")},
    "evaluates as on the CPU": (evaluates_like_the_cpu,),
    "a run cut in two ends in the same bits": (resumes_to_the_bit,),
    "goes on from a checkpoint of the CPU": (goes_on_from_the_cpu,),
    "graphs follow memory that moves": (keeps_graphs_when_memory_moves,),
    "a library without a device tells its status": (tells_status_without_a_device,),
    "the header's class runs on a GPU and on the CPU": (headers_class_runs_on_both,),
    "a library needs libc alone and exports its functions alone": (needs_only_libc,),
    "a library has no variable globals": (has_no_variable_globals,),
    "two compilations are the same bytes": (is_the_same_each_time,),
    **{
        f"NVRTC compiles {name} for every architecture": (compiles_for_every_architecture, name)
        for name in ("digits", "text", "images")
    },
    "products use asynchronous copies and tensor cores": (products_use_what_gpus_have,),
    "printed source stands alone": (source_stands_alone,),
    "without NVRTC it is said what to install": (tells_what_to_install,),
    "targets that do not fit together are refused": (refuses_odd_targets,),
}
WITH_THE_FAKE_DRIVER = {
    "a step is one upload, one graph, one download": (works_without_stalls,),
    "without a GPU the CPU's code runs, and that is said": (falls_back_and_says_so,),
    "without a GPU code for GPUs alone says so": (refuses_where_it_cannot_run,),
    "a GPU that is too old is told": (says_which_gpu_it_is_not_for,),
    "each GPU gets the image that suits it": (loads_what_suits_the_gpu,),
}


def main(words):
    cases = WITH_ANY_DRIVER if NATIVE else WITH_ANY_DRIVER | WITH_THE_FAKE_DRIVER
    with tempfile.TemporaryDirectory() as all_folders:
        Case.place = pathlib.Path(all_folders)
        return run_cases(cases, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
