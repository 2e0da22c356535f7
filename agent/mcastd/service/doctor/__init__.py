"""What usually goes wrong with multicast on a host, looked for in what the agent and the host know.

Each module judges one part of the way: values in, findings out. `sights` gathers what has to be
asked of the host; `examine` brings both together.
"""

from mcastd.service.doctor.examining import Doctor, examine
from mcastd.service.doctor.finding import Evidence, Finding, Severity

__all__ = ["Doctor", "Evidence", "Finding", "Severity", "examine"]
