"""What is missing, and what to do about it, in one line."""


class MachineError(Exception):
    """A virtual machine, or what it is made of, cannot be had."""
