"""Errors that a user can mend."""


class InputError(ValueError):
    """Bad input from a person: a file, a folder, a flag.

    The message is one line: what, what was expected, what was found, where, what to do next. The command line
    prints it and exits with status 2.
    """
