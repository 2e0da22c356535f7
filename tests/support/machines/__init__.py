"""Other kernels: taken from the distribution's archive, booted in virtual machines.

`Archive` finds and downloads, `Kernel` is an unpacked one, `Machine` runs commands in it. All
errors are of `MachineError`: one line that says what is missing and what to do.
"""

from support.machines.archive import Archive
from support.machines.errors import MachineError
from support.machines.kernel import Kernel
from support.machines.machine import Machine, Nic
from support.machines.matrix import chosen, matrix, obtain

__all__ = ["Archive", "Kernel", "Machine", "MachineError", "Nic", "chosen", "matrix", "obtain"]
