"""Names the hooks of the kernel at which programs see an interface's packets."""

from __future__ import annotations

from enum import Enum


class Hook(Enum):
    """Labels of metrics and of `mcastctl status`."""

    XDP_NATIVE = "xdp-native"
    XDP_GENERIC = "xdp-generic"
    TCX = "tcx"
    CLSACT = "clsact"
    NONE = "none"


class HookChoice(Enum):
    """Which ingress hook an interface is to have: the setting `hook`."""

    AUTO = "auto"
    XDP = "xdp"
    TC = "tc"
