"""The one error tree, in the lowest package so that every layer can raise from it."""


class FacereenactError(Exception):
    """Something the user can mend; the message says what to do, in one line."""


class InputError(FacereenactError):
    """A file or an argument cannot be used as given."""


class OutputError(FacereenactError):
    """The result cannot be written."""


class FaceNotFoundError(InputError):
    """No face was found where one is needed."""
