"""Runs every example as its README tells users to; one that fails says what it printed."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    passed = failed = 0
    for script in sorted(ROOT.glob("examples/*/run")):
        process = subprocess.run([script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        if process.returncode:
            failed += 1
            print(f"FAILED {script.relative_to(ROOT)}:\n{process.stdout[-4000:]}", flush=True)
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
