"""FacereenactError and its tree (defined in the lowest package, named here for users)."""

from checkpoints.errors import FaceNotFoundError, FacereenactError, InputError, OutputError

__all__ = ["FaceNotFoundError", "FacereenactError", "InputError", "OutputError"]
