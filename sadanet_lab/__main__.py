"""The program ``sadanet``, and ``python -m sadanet_lab``."""

import atexit
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper

from sadanet_lab.errors import Terminated, ending_of


def run() -> None:
    """The command line as a process of its own; doesn't return.

    Taking PyTorch's modules apart one by one at the end costs a second of a five-second command, for nothing.
    """
    code = 0
    try:
        signal.signal(signal.SIGTERM, _terminate)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):  # it is none when it is closed
                stream.reconfigure(errors="backslashreplace")  # a file's name may be no text
        from sadanet_lab.cli import main

        main()
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except (KeyboardInterrupt, OSError) as error:  # outside of any command, such as a help text on a full disk
        if (end := ending_of(error)) is None:
            raise
        code = _told(*end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:  # the reader, such as `head`, has seen enough; or what was said already
            end = ending_of(error) if code == 0 else None
            code = _told(*end) if end else code or 1
    os._exit(code)


def _terminate(*_) -> None:
    raise Terminated


def _told(line: str, code: int) -> int:
    with suppress(OSError):
        print(f"error: {line}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    run()
