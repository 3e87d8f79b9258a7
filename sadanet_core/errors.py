"""The one error that is the user's to mend."""


class BadInput(ValueError):  # noqa: N818 - it names the input's fault, not the program's
    """Something given from outside (file, folder, parameter) is not usable.

    The message is one line: the file or parameter, what was found, what was expected. The command line
    prints it alone and exits with code 2.
    """
