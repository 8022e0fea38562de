"""Formwork as its users have it: installed, moved, and used by projects outside the tree.

An application is built with find_package against the installation and run, in C, C++ and Python; it is
built again when its model changes; wrong calls of formwork_add_model are refused while CMake
configures; pkg-config serves builds without CMake.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", ROOT / "build"))
FOLDER = BUILD / "tests/embedding"
PREFIX = FOLDER / "moved"
APP = FOLDER / "app"
DIGITS = FOLDER / "digits.json"
ENVIRONMENT = dict(os.environ, CMAKE_GENERATOR="Ninja", CXX="g++", CC="gcc")


def run(*command, fails=False, **options):
    """What the command printed; an AssertionError with that text if it did not end as expected."""
    process = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        env=ENVIRONMENT,
        **options,
    )
    assert (process.returncode != 0) == fails, f"{command} ended with {process.returncode}:\n{process.stdout}"
    return process.stdout


def install():
    """What every other test uses; moved, so that no path of the build can be in it."""
    run("cmake", "--install", BUILD, "--prefix", FOLDER / "installed")
    (FOLDER / "installed").rename(PREFIX)
    shutil.copy(ROOT / "examples/digits/digits.json", DIGITS)
    run("cmake", "-S", HERE / "app", "-B", APP, f"-DCMAKE_PREFIX_PATH={PREFIX}", f"-DDIGITS={DIGITS}")
    run("cmake", "--build", APP)
    for file in PREFIX.rglob("*"):
        if file.suffix in {".cmake", ".pc"}:
            for folder in BUILD, FOLDER / "installed":
                assert str(folder) not in file.read_text(), f"{file} names {folder}"


def test_a_c_program_links_two_models_and_trains():
    said = run(APP / "in_c")
    assert "32 of 32 right" in said and "pilot: gradients" in said, said


def test_a_cxx_program_uses_classes_descriptors_and_threads():
    run(APP / "in_cxx")


def test_source_in_the_build_computes_the_same():
    run(APP / "in_cxx_from_source")


def test_python_computes_what_keras_does():
    run(sys.executable, HERE / "in_python.py", APP / "formwork/digits_shared/libdigits_shared.so", DIGITS)


def test_nothing_is_built_twice_and_a_changed_model_is():
    assert "no work to do" in run("cmake", "--build", APP)
    header = APP / "formwork/digits/digits.h"
    assert "[64, 32]" in header.read_text()
    DIGITS.write_text(DIGITS.read_text().replace('"units": 32', '"units": 24'))
    said = run("cmake", "--build", APP)
    assert "Compiling the model digits" in said and "Compiling the model pilot" not in said, said
    assert "[64, 24]" in header.read_text() and "in_c" in said
    assert "32 of 32 right" in run(APP / "in_c")


def test_a_model_that_cannot_be_compiled_stops_the_build():
    good = DIGITS.read_text()
    DIGITS.write_text(good.replace('"class_name": "Dense"', '"class_name": "Dents"', 1))
    said = run("cmake", "--build", APP, fails=True)
    assert "Dents" in said and "digits.json:" in said, said
    DIGITS.write_text(good)
    run("cmake", "--build", APP)


MISTAKES = {
    "m": "MODEL is missing",
    "m MODEL": "'MODEL' needs a value",
    "m MODEL nothing.keras": "there is no file '",
    "2m MODEL digits.json": "the name begins every function of the model",
    "taken MODEL digits.json": "there is a target of that name",
    "m MODEL digits.json EMIT exe": "EMIT exe is no kind of library",
    "m MODEL digits.json OPTIMIZER sgd": "OPTIMIZER is for training: add TRAIN",
    "m MODEL digits.json TRIAN": "'TRIAN' is nothing it takes",
    "m MODEL digits.json TRAIN LOSS banana EMIT cpp": "banana",
}


def test_wrong_calls_are_told_while_cmake_configures():
    project = FOLDER / "mistakes"
    project.mkdir()
    shutil.copy(ROOT / "examples/digits/digits.json", project)
    for call, problem in MISTAKES.items():
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(mistakes LANGUAGES CXX)\n"
            "find_package(Formwork REQUIRED)\nadd_custom_target(taken)\n"
            f"formwork_add_model({call})\n"
        )
        said = run("cmake", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={PREFIX}", fails=True)
        assert problem in " ".join(said.split()), f"{call}: {said}"


def test_pkg_config_serves_builds_without_cmake():
    folder = FOLDER / "pkg-config"
    folder.mkdir()
    packages = next(PREFIX.rglob("formwork.pc")).parent
    ask = ["env", f"PKG_CONFIG_PATH={packages}", "pkg-config", "formwork"]
    compiler = run(*ask, "--variable=formwork").strip()
    run(compiler, "compile", DIGITS, "-o", folder / "libdigits.a", "--emit=static", "--train")
    (folder / "main.c").write_text(
        "#include <digits.h>\n#include <runtime/formwork_runtime.h>\n"
        "int main(int argc, char **argv) { return formwork_main(argc, argv, digits_model()); }\n"
    )
    flags = run(*ask, "--cflags", "--libs", "--static").split()
    run("gcc", "-Wall", "-Werror", "main.c", "-I.", "libdigits.a", *flags, "-o", "main", cwd=folder)
    assert "digits" in run(folder / "main", "summary")


def test_a_build_that_formwork_is_a_part_of_has_the_same_names():
    """Only configured: the compiler would take long to build once more."""
    project = FOLDER / "part"
    project.mkdir()
    shutil.copy(DIGITS, project)
    (project / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(part LANGUAGES C CXX)\n"
        f"add_subdirectory({ROOT} formwork EXCLUDE_FROM_ALL)\n"
        "formwork_add_model(digits MODEL digits.json TRAIN)\n"
        "file(WRITE main.cpp [[#include <digits.h>\n#include <runtime/formwork_runtime.h>\nint main() {}]])\n"
        "add_executable(app main.cpp)\ntarget_link_libraries(app PRIVATE digits Formwork::runtime)\n"
    )
    run("cmake", "-S", project, "-B", project / "build")
    steps = run("ninja", "-C", project / "build", "-t", "commands", "app")
    order = [steps.find(part) for part in (" -o formwork/bin/formwork ", "digits/libdigits.a --emit=static", " -o app ")]
    assert -1 not in order and order == sorted(order), order
    assert "GTest" not in (project / "build/CMakeCache.txt").read_text()


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    tests = [install] + [value for name, value in globals().items() if name.startswith("test_")]
    passed = failed = 0
    for test in tests:
        try:
            test()
            passed += 1
        except Exception:
            failed += 1
            print(f"FAILED {test.__name__}:\n{traceback.format_exc()}", flush=True)
            if test is install:
                break
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
