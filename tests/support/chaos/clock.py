"""Runs Python's command with a wall clock that can be set: `clock.py FILE PYTHON -m MODULE ...`.

The machine's own clock is everybody's, and no namespace has one of its own. FILE says by how many
seconds the process's is ahead of it; it can be written at any time.
"""

import os
import runpy
import sys
import time


def main() -> None:
    _, file, _python, _m, module, *arguments = sys.argv
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    true_time = time.time

    def shifted() -> float:
        return true_time() + float(os.pread(descriptor, 32, 0) or b"0")

    time.time = shifted
    sys.argv = [module, *arguments]
    sys.path.pop(0)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
