"""Opens the fast path early in the start: programs load while other things are made ready.

What is imported here delays the loading: as little as can be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mcastd._libbpf import lib
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.objects import kept, obtain
from mcastd.fastpath.programs import MAX_INTERFACES, begin_loading
from mcastd.fastpath.store import Store

if TYPE_CHECKING:
    from mcastd.fastpath.fast_path import FastPath
    from mcastd.fastpath.kernel import Kernel


class Opening:
    """Begins to load programs that are kept; those that are not are compiled when they are due.

    What goes wrong is told when the result is asked for: before that, other errors have precedence.
    """

    def __init__(self) -> None:
        self._said: list[str] = []
        self._kernel: Kernel | None = None
        self._error: FastPathError | None = None
        lib.mcast_use_capabilities()  # in a container the file of the interpreter grants them
        self._store = Store()
        self._room = self._store.record.max_interfaces if self._store.record else MAX_INTERFACES
        compiled = kept(self._said.append)
        if compiled is None:
            return
        try:
            self._kernel = begin_loading(compiled, self._room, self._store)
        except FastPathError as error:
            self._error = error

    def result(self, say: Callable[[str], None], max_interfaces: int = MAX_INTERFACES) -> FastPath:
        """`say` is told what takes long, and what is not as it should be. FastPathError.

        For another number of interfaces than most have, or had before, the programs are loaded once
        more.
        """
        from mcastd.fastpath.fast_path import FastPath  # noqa: PLC0415 (while the programs load)

        for line in self._said:
            say(line)
        if self._error is not None:
            raise self._error
        if self._kernel is not None and max_interfaces != self._room:
            self._kernel.close()
            self._kernel = None
        kernel = self._kernel or begin_loading(obtain(say), max_interfaces, self._store)
        if self._store.complaint is not None:
            say(self._store.complaint)
        return FastPath(kernel, self._store)
