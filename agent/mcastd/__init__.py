"""A multicast membership agent for Linux hosts."""

__version__ = "0.1.0"
