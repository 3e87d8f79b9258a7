"""The two errors that the command line turns into one line; any other is a fault of the program and shows its trace."""


class BadInput(ValueError):  # noqa: N818 - it names the input's fault, not the program's
    """Something given from outside (file, folder, parameter) is not usable: exit code 2.

    The message is one line: the file or parameter, what was found, what was expected.
    """


class Failed(RuntimeError):  # noqa: N818 - it names what happened
    """Work on good input came to a bad end, such as a loss that became NaN: exit code 1."""
