"""pyroute2's asynchronous netlink socket, without all the rest of that package.

Its `__init__` imports a database, remote execution and more, which takes as long as all else the
agent does until it is attached, and six MiB.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

PACKAGE = "pyroute2"
SOCKET_MODULE = "pyroute2.iproute.linux"


def _socket_class() -> Any:
    """As the package itself has it, if it is imported already or is made otherwise one day."""
    spec = find_spec(PACKAGE)
    if PACKAGE not in sys.modules and spec is not None and spec.submodule_search_locations:
        package = ModuleType(PACKAGE)
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        sys.modules[PACKAGE] = package
        try:
            return import_module(SOCKET_MODULE).AsyncIPRoute
        except (ImportError, AttributeError):
            pass
        finally:
            del sys.modules[PACKAGE]
    return import_module(PACKAGE).AsyncIPRoute


AsyncIPRoute = _socket_class()
