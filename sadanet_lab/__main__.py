"""The program ``sadanet``, and ``python -m sadanet_lab``."""

import atexit
import os
import sys

from sadanet_lab.cli import main


def run() -> None:
    """The command line as a process of its own; doesn't return.

    Taking PyTorch's modules apart one by one at the end costs a second of a five-second command, for nothing.
    """
    code = 0
    try:
        main()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        code = 1
    os._exit(code)


if __name__ == "__main__":
    run()
