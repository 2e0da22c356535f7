"""What can go wrong with a lab."""


class LabError(Exception):
    """The lab cannot be had; one line that says why."""
