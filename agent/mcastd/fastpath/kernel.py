"""Maps, programs and links in the kernel, through libbpf: typed, closed with their owner.

Descriptors are closed on exec; a link's end is the end of its attachment.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum

from mcastd._libbpf import ffi, lib
from mcastd.fastpath.btf import KernelTypes
from mcastd.fastpath.errors import FastPathError, ProgramRefusedError, explained
from mcastd.fastpath.loading import Loading
from mcastd.fastpath.objects import BpfObject, MapSpec, ProgramSpec

lib.mcast_silence()

LICENSE = b"Dual BSD/GPL"

LOG_BYTES = 16 << 20
"""For all of the verifier's words when it refuses a program; before Linux 6.4 it says nothing else
than that there is no room when there is none. What is not written to takes no memory."""


class ProgramType(IntEnum):
    """enum bpf_prog_type."""

    SCHED_CLS = 3
    XDP = 6
    TRACING = 26


KINDS = {"xdp": ProgramType.XDP, "tc": ProgramType.SCHED_CLS, "iterator": ProgramType.TRACING}

ITERATED = "bpf_iter_task_file"
"""What programs that are iterators are called for: each file of each task."""


class AttachType(IntEnum):
    """enum bpf_attach_type."""

    ITERATOR = 28
    XDP = 37
    TCX_INGRESS = 46
    TCX_EGRESS = 47


ATTACHED_AS = {ProgramType.XDP: AttachType.XDP, ProgramType.TRACING: AttachType.ITERATOR}

XDP_HAS_FRAGS = 1 << 5
"""BPF_F_XDP_HAS_FRAGS: the program takes frames in several buffers (jumbo MTUs)."""


TEST_XDP_LIVE_FRAMES = 1 << 1
"""BPF_F_TEST_XDP_LIVE_FRAMES: the program's verdict is carried out."""


LIVE_BATCH = 64
"""Live frames at once; a veth's queue holds 256."""


def checked(what: str, result: int) -> int:
    """The result of a libbpf call; OSError with `what` if it is an error."""
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")
    return result


def last_words(log: str) -> str:
    """Why the verifier refused a program: its last line but the one that says how long it took."""
    lines = [line for line in log.strip().splitlines() if not line.startswith("processed ")]
    return lines[-1] if lines else ""


def refusal(name: str, code: int, log: str) -> ProgramRefusedError:
    said = last_words(log)
    detail = f": {said}" if said else ""
    return ProgramRefusedError(code, f"BPF program {name}: {os.strerror(code)}{detail}", log)


class Descriptor:
    """Owns a file descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()


INFO_WORDS = 16
"""Of struct bpf_map_info, bpf_prog_info and bpf_link_info: as many as are looked at."""


def info_of(what: str, kind: str, fd: int) -> list[int]:
    """The first words of what the kernel says of a descriptor. OSError if it is none of that kind.

    `kind`: "map", "prog" or "link".
    """
    name = os.readlink(f"/proc/self/fd/{fd}").removeprefix("anon_inode:").strip("[]")
    if name.replace("_", "-") != f"bpf-{kind}":
        raise OSError(errno.EINVAL, f"{what}: it is {name}")
    info, size = ffi.new("uint32_t[]", INFO_WORDS), ffi.new("uint32_t *")
    size[0] = ffi.sizeof(info)
    checked(what, lib.bpf_obj_get_info_by_fd(fd, info, size))
    return list(info)


class Map(Descriptor):
    """A BPF map; keys and values are bytes of the sizes that it was created with."""

    @classmethod
    def kept(cls, spec: MapSpec, fd: int) -> Map:
        """One that was there before: it has this descriptor. OSError if it is otherwise made."""
        kind, _, key, value, entries, flags = info_of(f"BPF map {spec.name}", "map", fd)[:6]
        if (kind, key, value, entries, flags) != spec[1:]:
            raise OSError(errno.EINVAL, f"BPF map {spec.name}: it is made otherwise")
        made = cls.__new__(cls)
        Descriptor.__init__(made, fd)
        made.spec = spec
        return made

    def __init__(self, spec: MapSpec) -> None:
        options = ffi.new("struct bpf_map_create_opts *")
        options.sz = ffi.sizeof("struct bpf_map_create_opts")
        options.map_flags = spec.flags
        name = spec.name.encode()[:15]
        super().__init__(-1)
        self.spec = spec
        self.fd = checked(
            f"BPF map {spec.name}",
            lib.bpf_map_create(
                spec.type, name, spec.key_size, spec.value_size, spec.entries, options
            ),
        )

    def lookup(self, key: bytes, size: int) -> bytes | None:
        """The value's `size` bytes (for a per-CPU map those of all CPUs), None if there is none."""
        value = ffi.new("char[]", size)
        result = lib.bpf_map_lookup_elem(self.fd, key, value)
        if result == -errno.ENOENT:
            return None
        checked(f"BPF map {self.spec.name}: lookup", result)
        return bytes(ffi.buffer(value, size))

    def update(self, key: bytes, value: bytes) -> None:
        result = lib.bpf_map_update_elem(self.fd, key, value, 0)
        checked(f"BPF map {self.spec.name}: update", result)

    def delete(self, key: bytes) -> None:
        """Nothing happens if it is not there."""
        result = lib.bpf_map_delete_elem(self.fd, key)
        if result != -errno.ENOENT:
            checked(f"BPF map {self.spec.name}: delete", result)

    def keys(self) -> Iterator[bytes]:
        """All keys; those that come or go meanwhile may be missed."""
        size = self.spec.key_size
        key, following = ffi.NULL, ffi.new("char[]", size)
        while lib.bpf_map_get_next_key(self.fd, key, following) == 0:
            current = bytes(ffi.buffer(following, size))
            yield current
            key = current


class Program(Descriptor):
    """A loaded program."""

    def __init__(self, spec: ProgramSpec, maps: dict[str, Map], *, frags: bool = False) -> None:
        """OSError, its text ending with the verifier's last words, if the kernel refuses it."""
        code = bytearray(spec.code)
        for index, name in spec.maps:
            struct.pack_into("<i", code, index * 8 + 4, maps[name].fd)
        super().__init__(-1)
        self.name = spec.name
        self.frags = frags
        kind = KINDS[spec.type]
        options = ffi.new("struct bpf_prog_load_opts *")
        options.sz = ffi.sizeof("struct bpf_prog_load_opts")
        options.expected_attach_type = ATTACHED_AS.get(kind, 0)
        options.prog_flags = XDP_HAS_FRAGS if frags else 0
        if kind is ProgramType.TRACING:
            with KernelTypes() as types:
                options.attach_btf_id = types.function(ITERATED)
        result = self._load(kind, code, options)
        if result < 0:
            room = mmap.mmap(-1, LOG_BYTES)
            log = ffi.from_buffer(room)
            options.log_buf, options.log_size, options.log_level = log, LOG_BYTES, 1
            result = self._load(kind, code, options)
            if result < 0:
                raise refusal(spec.name, -result, ffi.string(log).decode(errors="replace"))
        self.fd = result

    def _load(self, kind: ProgramType, code: bytearray, options: object) -> int:
        instructions = ffi.cast("struct bpf_insn *", ffi.from_buffer(code))
        return int(
            lib.bpf_prog_load(
                kind,
                self.name.encode()[:15],
                LICENSE,
                instructions,
                len(code) // 8,
                options,
            )
        )

    @property
    def id(self) -> int:
        """Its number in the kernel, which no other program has until the machine starts anew."""
        return info_of(self.name, "prog", self.fd)[1]

    def run_live(self, ifindex: int, frame: bytes, count: int = 1) -> None:
        """Runs an XDP program on frames as if the interface had received them; OSError.

        The interface is one of this thread's network namespace.
        """
        context = ffi.new("uint32_t[6]", [0, len(frame), 0, ifindex, 0, 0])
        data = ffi.from_buffer(frame)
        options = ffi.new("struct bpf_test_run_opts *")
        options.sz = ffi.sizeof("struct bpf_test_run_opts")
        options.data_in, options.data_size_in = data, len(frame)
        options.ctx_in, options.ctx_size_in = context, ffi.sizeof(context)
        options.repeat, options.flags = count, TEST_XDP_LIVE_FRAMES
        options.batch_size = min(count, LIVE_BATCH)
        checked(f"running {self.name}", lib.bpf_prog_test_run_opts(self.fd, options))


LINK_PROGRAM, LINK_IFINDEX = 2, 4
"""Words of struct bpf_link_info."""


def link_state(fd: int) -> tuple[int, int]:
    """Of a link of XDP or TCX: the number of its program, and the index of the interface that it is
    on, 0 when it is detached. OSError if it is no link."""
    info = info_of("a link", "link", fd)
    return info[LINK_PROGRAM], info[LINK_IFINDEX]


class Link(Descriptor):
    """An attachment that lasts as long as this object, or its process, does, or somebody keeps it.

    `program`: the one that it runs.
    """

    def __init__(
        self, program: Program, ifindex: int, attach_type: AttachType, flags: int = 0
    ) -> None:
        """OSError with the kernel's reason if it cannot be attached there."""
        options = ffi.new("struct bpf_link_create_opts *")
        options.sz = ffi.sizeof("struct bpf_link_create_opts")
        options.flags = flags
        super().__init__(-1)
        self.program = program
        self.fd = checked(
            f"attaching {program.name}",
            lib.bpf_link_create(program.fd, ifindex, attach_type, options),
        )

    @classmethod
    def kept(cls, fd: int, earlier: int, ifindex: int, program: Program) -> Link:
        """One that was there before: `program` takes the place of the `earlier` one, by its number.

        OSError, and nothing is changed, if the link is no longer on the interface, or runs what
        somebody else has put there.
        """
        if link_state(fd) != (earlier, ifindex):
            raise OSError(errno.EBUSY, f"the link of {program.name} is another's, or nobody's")
        checked(f"exchanging {program.name}", lib.bpf_link_update(fd, program.fd, ffi.NULL))
        made = cls.__new__(cls)
        Descriptor.__init__(made, fd)
        made.program = program
        return made

    def is_attached(self) -> bool:
        """Whether the program is still there: another tool may have detached it, or its device."""
        try:
            return self.fd >= 0 and bool(link_state(self.fd)[1])
        except OSError:
            return False

    def detach(self) -> None:
        """Ends the attachment whoever else keeps the link, and closes it."""
        if self.fd >= 0:
            lib.bpf_link_detach(self.fd)  # what cannot be detached ends with its last descriptor
        self.close()


ProgramKey = tuple[str, bool]
"""A program's name, and whether it is to take frames in several buffers."""


def sized(specs: Iterable[MapSpec], sizes: Mapping[str, int]) -> list[MapSpec]:
    """The maps with other numbers of entries, by name."""
    return [each._replace(entries=sizes.get(each.name, each.entries)) for each in specs]


class Kernel:
    """All maps, and the programs as they are asked for."""

    def __init__(
        self,
        compiled: BpfObject,
        *,
        entries: Mapping[str, int] | None = None,
        kept: Mapping[str, Map] | None = None,
    ) -> None:
        """Creates the maps; `entries` overrides their sizes by name. FastPathError if refused.

        `kept`: those that are there already.
        """
        sizes = entries or {}
        self._specs = {each.name: each for each in compiled.programs}
        self._programs: dict[ProgramKey, Program] = {}
        self._ahead: Loading[ProgramKey, Program] = Loading(self._load, ())
        try:
            self.maps = {
                spec.name: (kept or {}).get(spec.name) or Map(spec)
                for spec in sized(compiled.maps, sizes)
            }
        except OSError as error:
            raise FastPathError(explained(error)) from error

    def load_ahead(self, *lanes: Iterable[ProgramKey]) -> None:
        """Has programs loaded in threads, one for each lane; who asks for one waits for it."""
        lib.mcast_share_heap()
        self._ahead = Loading(self._load, lanes)

    def wait(self) -> None:
        """Until all that were to be loaded ahead are, or have been refused."""
        self._ahead.join()

    def _load(self, key: ProgramKey) -> Program:
        name, frags = key
        return Program(self._specs[name], self.maps, frags=frags)

    def program(self, name: str, *, frags: bool = False) -> Program:
        """Loads it, the first time. OSError if the kernel refuses it."""
        key = (name, frags)
        if key in self._ahead:
            return self._ahead[key]
        if key not in self._programs:
            self._programs[key] = self._load(key)
        return self._programs[key]

    def close(self) -> None:
        for each in (*self._ahead.made(), *self._programs.values(), *self.maps.values()):
            each.close()
