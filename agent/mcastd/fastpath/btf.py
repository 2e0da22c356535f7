"""Reads the kernel's own types (BTF): at which offset a member of a structure is."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Any

from mcastd._libbpf import ffi, lib

STRUCT, FUNCTION = 4, 12
"""Kinds of types (BTF_KIND_STRUCT, BTF_KIND_FUNC)."""

TRANSPARENT = (8, 9, 10, 11)
"""typedef, volatile, const, restrict: the same type by another name."""


class KernelTypes:
    """A context; inside it, the kernel's types can be asked for."""

    def __enter__(self) -> KernelTypes:
        """OSError if the kernel does not tell of its types."""
        self._btf = lib.btf__load_vmlinux_btf()
        if not self._btf:
            text = os.strerror(ffi.errno)
            raise OSError(ffi.errno, f"the kernel does not tell of its types (BTF): {text}")
        return self

    def __exit__(self, *_exception: object) -> None:
        lib.btf__free(self._btf)

    def function(self, name: str) -> int:
        """The number of a function; OSError if the kernel has none of this name."""
        return self._number(name, FUNCTION)

    def offset(self, struct: str, path: str) -> int:
        """Bytes from the start of the structure; OSError if it has no such member.

        `path`: the member's name, or names with dots between them for members of members.
        """
        found = self._find(self._number(struct, STRUCT), path.split("."))
        if found is None:
            raise OSError(errno.ENOENT, f"this kernel has no {path} in struct {struct}")
        return found

    def has(self, struct: str, path: str) -> bool:
        """Whether the structure has such a member."""
        return self._find(self._number(struct, STRUCT), path.split(".")) is not None

    def _number(self, name: str, kind: int) -> int:
        number = lib.btf__find_by_name_kind(self._btf, name.encode(), kind)
        if number < 0:
            raise OSError(-number, f"this kernel has no {name}")
        return int(number)

    def _find(self, number: int, path: list[str]) -> int | None:
        """Also in members without a name, whose own members count as the structure's."""
        head, *rest = path
        for name, type_, offset in self._members(number):
            if name == head:
                inside = self._find(type_, rest) if rest else 0
                return None if inside is None else offset + inside
            if not name and (inside := self._find(type_, path)) is not None:
                return offset + inside
        return None

    def _members(self, number: int) -> Iterator[tuple[str, int, int]]:
        """Name, type, and offset in bytes."""
        type_: Any = lib.btf__type_by_id(self._btf, number)
        while type_.info >> 24 & 31 in TRANSPARENT:
            type_ = lib.btf__type_by_id(self._btf, type_.size)
        has_bit_fields = type_.info >> 31
        members = lib.mcast_members(type_)
        for index in range(type_.info & 0xFFFF):
            each = members[index]
            bits = each.offset & 0xFFFFFF if has_bit_fields else each.offset
            name = ffi.string(lib.btf__name_by_offset(self._btf, each.name_off)).decode()
            yield name, each.type, bits // 8
