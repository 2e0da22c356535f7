"""Gives each interface's name a place among the counters, also while the interface is away."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.record import Record


class Slots:
    """Places among the counters, by the interfaces' names. `gone`: those of interfaces that are
    gone, the latest last; when all are taken, the first of them loses its own.
    """

    def __init__(
        self, entries: int, clear: Callable[[int], None], record: Record | None, *, dirty: bool
    ) -> None:
        """`clear` makes a slot's counters zero. `record`: what an agent before this one has left.
        `dirty`: a slot that is free may have been used by one that was killed.
        """
        self.entries = entries
        self._clear = clear
        self._is_dirty = dirty
        self._free = list(reversed(range(entries)))
        self.by_name: dict[str, int] = {}
        self.gone: dict[str, None] = {}
        if record is not None:
            self.by_name = {n: i for n, i in record.slots.items() if i in self._free}
            self.gone = dict.fromkeys(name for name in record.gone if name in self.by_name)
            taken = set(self.by_name.values())
            self._free = [each for each in self._free if each not in taken]

    def take(self, name: str) -> int:
        """FastPathError if there are too many interfaces."""
        self.gone.pop(name, None)
        if name in self.by_name:
            return self.by_name[name]
        if not self._free:
            self.forget_gone(max(0, len(self.gone) - 1))
        if not self._free:
            raise FastPathError(
                f"is one too many: {self.entries} interfaces are run, and no more at once; "
                "raise agent.max_interfaces (mcastd.toml) and start mcastd anew"
            )
        self.by_name[name] = slot = self._free.pop()
        if self._is_dirty:
            self._clear(slot)
        return slot

    def leave(self, slot: int | None) -> None:
        """The interface whose counters are there is gone."""
        name = next((name for name, each in self.by_name.items() if each == slot), None)
        if name is not None:
            self.gone.pop(name, None)
            self.gone[name] = None

    def leave_all_but(self, slots: Iterable[int]) -> None:
        staying = set(slots)
        for name, slot in self.by_name.items():
            if slot not in staying:
                self.gone.setdefault(name)

    def forget_gone(self, most: int) -> None:
        """Keeps the counters of only so many interfaces that are gone, the latest."""
        for name in list(self.gone)[: max(0, len(self.gone) - most)]:
            del self.gone[name]
            slot = self.by_name.pop(name)
            self._clear(slot)
            self._free.append(slot)

    def rename(self, old: str, new: str) -> None:
        """Counters go on under the new name; where that has some, they stay, and go on."""
        if new not in self.by_name and old in self.by_name:
            self.by_name[new] = self.by_name.pop(old)
            if old in self.gone:
                self.gone = {new if each == old else each: None for each in self.gone}
