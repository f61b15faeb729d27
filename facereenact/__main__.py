"""`python -m facereenact` is the command line."""

from facereenact.cli import main

main(prog_name="facereenact")
