"""Printed CUDA C++ as a library that tests/cuda/fake_driver.cpp loads."""

import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNEL = re.compile(r"__launch_bounds__\((\d+)\)\s*\n(\w+)\(")


def compiler():
    for name in (os.environ.get("CXX"), "clang++-22", "clang++", "g++"):
        if name and shutil.which(name):
            return name
    raise RuntimeError("there is no C++ compiler")


def compile_for_cpu(source, library, sanitize=False):
    """Compiles the file of kernels `source` into `library`."""
    text = pathlib.Path(source).read_text()
    listed = "".join(f"FORMWORK_FAKE_KERNEL({name}, {threads})\n" for threads, name in KERNEL.findall(text))
    wrapped = pathlib.Path(library).with_suffix(".cpp")
    wrapped.write_text(f'#include "tests/cuda/fake_kernels.h"\n{text}\n{listed}')
    command = [compiler(), "-std=c++17", "-O1", "-w", "-shared", "-fPIC", "-ffp-contract=off", "-march=native"]
    if sanitize:
        command += ["-fsanitize=address", "-g1"]
    subprocess.run([*command, f"-I{ROOT}", wrapped, "-o", library], check=True)
    return library
