"""Files spoilt at random, and what a reader says to them."""

import numpy as np

from sadanet_lab.errors import BadInput


def damaged(content, begin, end, files=150):
    """Copies of a file's bytes, each with four bytes between begin and end drawn anew."""
    rng = np.random.default_rng(0)
    for _ in range(files):
        spoilt = bytearray(content)
        for place in rng.integers(begin, min(end, len(content)), 4):
            spoilt[place] = rng.integers(256)
        yield bytes(spoilt)


def assert_read_or_refused(read, name):
    """A file is read, or refused in one line that begins with its name; any other error is the test's."""
    try:
        read()
    except BadInput as error:
        line = str(error)
    else:
        return
    assert line.startswith(f"{name}: ")
    assert "\n" not in line
