"""What `facereenact pose` does: body points tracked in videos, drawn on them, summed up."""
