"""A process that gives spoilt inputs to their reader and prints what came of it, as JSON: ``worker.py KIND SEED...``.

Bad input is read, or refused in one line. A seed that takes more than ``SECONDS`` ends the process with a trace of
where it hung.
"""

import contextlib
import faulthandler
import io
import json
import sys
import tempfile
import traceback
import zlib
from pathlib import Path

import numpy as np
from inputs import FUZZED

from sadanet_lab.errors import BadInput, Failed

SECONDS = 5


def outcome(kind: str, seed: int, folder: Path) -> str:
    """ "read", "refused", or what was wrong with what the reader said of one input."""
    read, _ = FUZZED[kind]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            read(np.random.default_rng([zlib.crc32(kind.encode()), seed]), folder)
    except (BadInput, Failed) as error:
        return f"not one line: {str(error)!r}" if "\n" in str(error) else "refused"
    except BaseException:
        return traceback.format_exc(limit=-3)
    return "read"


def peak_memory() -> int:
    """Bytes; of this process alone (``ru_maxrss`` would count what the process that started it held)."""
    told = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(told.split()[0]) << 10


def main(kind: str, seeds: list[int]) -> None:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        outcome(kind, 0, Path(folder))  # with all that is loaded at first
        for seed in seeds:
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            print(seed, file=sys.stderr)
            found[seed] = outcome(kind, seed, Path(folder))
        faulthandler.cancel_dump_traceback_later()
    print(json.dumps({"found": found, "peak": peak_memory()}))


if __name__ == "__main__":
    main(sys.argv[1], [int(seed) for seed in sys.argv[2:]])
