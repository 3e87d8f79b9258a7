"""The errors that the command line turns into one line; any other is a fault of the program and shows its trace."""

import errno
import signal


class BadInput(ValueError):  # noqa: N818 - it names the input's fault, not the program's
    """Something given from outside (file, folder, parameter) is not usable: exit code 2.

    The message is one line: the file or parameter, what was found, what was expected.
    """


class Failed(RuntimeError):  # noqa: N818 - it names what happened
    """Work on good input came to a bad end, such as a loss that became NaN: exit code 1."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM), as at a cluster's time limit. All else is as after Ctrl-C."""


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""Why something, standard output too, cannot be written."""


def ending_of(error: BaseException) -> tuple[str, int] | None:
    """The line and the exit code that a command ends with; None for a fault of the program."""
    if isinstance(error, BadInput | Failed):
        return one_line(str(error)), 2 if isinstance(error, BadInput) else 1
    if isinstance(error, KeyboardInterrupt):
        what, number = (
            ("terminated", signal.SIGTERM) if isinstance(error, Terminated) else ("interrupted", signal.SIGINT)
        )
        return f"{what}; give the same command again", 128 + int(number)
    if isinstance(error, OSError) and error.filename is not None:
        return one_line(f"{error.filename}: {error.strerror}"), 2
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return f"cannot write: {error.strerror}", 1
    return None


def one_line(text: str) -> str:
    """A text as one line for a terminal: what is not printable, such as a newline in a file's name, is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
