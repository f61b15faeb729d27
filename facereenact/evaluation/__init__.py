"""How good a reenactment is: the protocols of the field as a command and an API, with reports that can be compared."""
