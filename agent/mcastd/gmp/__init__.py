"""The Group Management Protocols' host side: pure values, no clock, no dice, no input or output."""
