"""native.cpp, compiled and loaded; Formwork's calls and the machine's bounds by it."""

import ctypes
import json
import os
import pathlib
import shutil
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", ROOT / "build"))
FOLDER = BUILD / "bench"
PROBE = 0.01  # seconds of a probe

#: As in runtime/app/Probe.h: they lie in L1, L2, L3 and memory.
LEVELS = (24 << 10, 768 << 10, 16 << 20, 512 << 20)


def build():
    """The library and the program, made anew when their sources are newer."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    shared, program = FOLDER / "native.so", FOLDER / "start"
    archive = BUILD / "lib/libformwork_runtime.a"
    if is_older(shared, HERE / "native.cpp", archive):
        # Of the archive only what is used: threads and probes.
        pool = ["-Wl,-u,formwork_pool_create,-u,formwork_pool_context"]
        compile_file(HERE / "native.cpp", shared, "-O2", "-shared", "-fPIC", *pool, archive)
    if is_older(program, HERE / "start.c"):
        compile_file(HERE / "start.c", program, "-O1", "-xc")


def is_older(target, *sources):
    return not target.exists() or any(target.stat().st_mtime <= s.stat().st_mtime for s in sources)


def compile_file(source, target, *options):
    compiler = os.environ.get("CXX") or next(filter(shutil.which, ("clang++-22", "g++", "c++")))
    standard = [] if source.suffix == ".c" else ["-std=c++20"]
    before = [option for option in options if isinstance(option, str)]
    after = [option for option in options if not isinstance(option, str)]
    command = [compiler, *standard, f"-I{ROOT}", *before, source, *after, "-pthread", "-ldl", "-o", target]
    subprocess.run(command, check=True)


def start(library, name):
    """Milliseconds from dlopen to the first result, and bytes held at most."""
    process = subprocess.run([FOLDER / "start", library, name], check=True, capture_output=True, text=True)
    return json.loads(process.stdout)


def sampled(timed, target):
    """A sampler that lets C call for about `target` seconds."""

    def sample():
        count = max(1, int(target / max(timed(1), 1e-7)))
        return timed(count) / count

    return sample


class Native:
    def __init__(self, threads):
        self.library = ctypes.CDLL(str(FOLDER / "native.so"))
        self.threads = threads
        for name in ("time_calls", "time_products", "multiply_adds_per_second", "bytes_per_second"):
            getattr(self.library, name).restype = ctypes.c_double

    def context(self):
        """Of a pool of threads, or none for one thread."""
        import formwork_model

        if self.threads == 1:
            return formwork_model.Context()
        create = self.library.formwork_pool_create
        create.restype = ctypes.c_void_p
        describe = self.library.formwork_pool_context
        describe.restype = formwork_model.Context
        return describe(ctypes.c_void_p(create(self.threads)))

    def sampler(self, call, target):
        """The same call as `call`, a closure of formwork_model, from a loop in C."""

        def timed(count):
            return self.library.time_calls(*call.arguments, ctypes.c_int64(count))

        return sampled(timed, target)

    def product_sampler(self, run, mode, m, n, k, a, b, c, target):
        """Of a library's sgemm, from a loop in C."""
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, c)]
        letters = [ctypes.c_char(letter.encode()) for letter in mode]

        def timed(count):
            return self.library.time_products(run, *letters, m, n, k, *pointers, ctypes.c_int64(count))

        return sampled(timed, target)

    def flops_per_second(self):
        return self.library.multiply_adds_per_second(ctypes.c_double(PROBE), self.threads)

    def bytes_per_second(self, working_set):
        """Of the smallest level that holds the working set."""
        return self.library.bytes_per_second(ctypes.c_double(PROBE), self.threads, ctypes.c_size_t(working_set))

    def levels(self, rounds=3):
        """Bytes per second of each level."""
        return {size: statistics.median(self.bytes_per_second(size) for _ in range(rounds)) for size in LEVELS}
