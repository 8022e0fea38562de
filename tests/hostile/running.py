"""Runs a program on a hostile file and looks at all that it did."""

import dataclasses
import os
import pathlib
import re
import resource
import signal
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", ROOT / "build"))
FORMWORK = BUILD / "bin/formwork"
FIXED, FACTOR = 64 << 20, 4  # memory beyond that of a run with nothing to do, per byte of the file
SECONDS = 60


@dataclasses.dataclass
class Result:
    status: int
    output: str  # both streams
    memory: int  # bytes, of the process that took most
    opened: list  # paths, in order
    left: list  # files in the folder that were not there before


class Runner:
    """Runs programs in folders of their own below `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self.shim = folder / "opened.so"
        source = pathlib.Path(__file__).parent / "opened.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.shim, source, "-ldl"], check=True)

    def __call__(self, command, folder, largest=None):
        """`largest`: bytes that a file may have, beyond which writing fails."""
        before = set(folder.rglob("*"))
        log = self.folder / "opened.log"
        log.unlink(missing_ok=True)

        def restrict():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing fails, as on a full disk
            if largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=dict(
                os.environ,
                LD_PRELOAD=str(self.shim),
                OPENED=str(log),
                FORMWORK_CACHE=str(self.folder / "cache"),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=restrict,
        )
        watchdog = threading.Timer(SECONDS, process.kill)
        watchdog.start()
        output = process.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        watchdog.cancel()
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        return Result(
            process.returncode,
            output,
            usage.ru_maxrss << 10,
            log.read_text(errors="replace").split("\n")[:-1] if log.exists() else [],
            sorted(str(path.relative_to(folder)) for path in set(folder.rglob("*")) - before),
        )


def problems(case, result, file, file_size, baseline, forbidden):
    """What is wrong with how a program met a hostile file."""
    if not any(path.endswith(file) for path in result.opened):
        yield "was not seen to open the file"  # then what else it opened was not seen either
    if result.status != 1:
        yield f"exit status {result.status} instead of 1"
    for words in case.says:
        if not re.search(words, result.output):
            yield f"does not say {words!r}"
    if re.search(
        r"PLEASE submit a bug|Stack dump|terminate called|Sanitizer|Assertion|[\x00-\x08\x0b-\x1f\x7f]",
        result.output,
    ):
        yield "says what no user should read"
    if len(result.output) > 20_000:
        yield f"says {len(result.output)} characters"
    most = baseline + FIXED + FACTOR * file_size
    if result.memory > most:
        yield f"took {result.memory >> 20} MiB of memory; {most >> 20} MiB are allowed"
    if result.left:
        yield f"left {result.left} behind"
    for path in result.opened:
        if any(word in path for word in forbidden):
            yield f"opened {path}"
