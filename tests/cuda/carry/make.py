"""Compiles models for the CPU and for GPUs into a folder, with their data and what runs them there."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", ROOT / "build"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np

ALL = ",".join(f"cuda:sm_{name}" for name in ("80", "86", "89", "90", "100", "120"))
TESTED = ("digits", "two_inputs", "two_outputs", "images", "text", "wide", "dropped")
COUNT = 150  # examples: whole batches of 32, and one that is none


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem + "_" + path.parent.name, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def signature(model, size):
    types = {"float64": "f64", "float32": "f32", "int32": "i32", "int64": "i64"}
    shapes = ((t.name, types[str(t.dtype)], [size, *t.shape[1:]]) for t in model.inputs)
    return " ".join(f"{name}:{dtype}{shape}".replace(" ", "") for name, dtype, shape in shapes)


def compile_model(model, program, machines, sizes):
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder) / "model.keras"
        model.save(archive)
        command = [BUILD / "bin/formwork", "compile", archive, "-o", program, "--train", "--name", program.name]
        command += [f"--target=host,{machines}", *(f"--signature={signature(model, s)}" for s in sizes)]
        # Kernels that spill are timed as well; the report beside the program tells which they are.
        command += ["--accept-spills=*", "--resources"]
        with open(program.with_suffix(".resources"), "w") as resources:
            subprocess.run(command, check=True, stderr=resources)


def add_tests(folder, machines):
    models = module(ROOT / "tests/training/models.py")
    for name in TESTED:
        print(f"compiling {name}", flush=True)
        # What is compared with the CPU is in float64, where rounding alone differs.
        model, data = models.build(name, COUNT, "float32" if name == "dropped" else "float64")
        compile_model(model, folder / "tests" / name, machines, [32])
        np.savez(folder / "tests" / f"{name}.npz", **data)


def add_benchmarks(folder, machines):
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    models = module(ROOT / "tests/bench/models.py")
    for name in models.MODELS:
        print(f"compiling {name} for timing", flush=True)
        compile_model(models.build(name), folder / "bench" / name, machines, [1, 32, 1024])


def main(target, machines=ALL):
    target = pathlib.Path(target).resolve()
    packed = target.name.endswith(".tar.gz")
    folder = target.with_name(target.name.removesuffix(".tar.gz")) if packed else target
    if target.exists() or folder.exists():
        sys.exit(f"{target} is there already")
    for part in ("tests", "bench"):
        (folder / part).mkdir(parents=True)
    try:
        add_tests(folder, machines)
        add_benchmarks(folder, machines)
        for name in ("run", "peers.py"):
            shutil.copy(HERE / name, folder / name)
        (folder / "machines.json").write_text(json.dumps(machines.split(",")))
        if packed:
            shutil.make_archive(str(folder), "gztar", folder.parent, folder.name)
            shutil.rmtree(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    print(f"{target}: carry it to a machine with a GPU, unpack it there if it is packed, and start `run` in it")


main(*sys.argv[1:])
