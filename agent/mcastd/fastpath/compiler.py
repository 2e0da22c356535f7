"""Compiles the BPF programs with bcc; a program of its own, so that nothing else ever maps LLVM.

Run as a script by any Python that has bcc, with the request as JSON on standard input, the object
as JSON on standard output and the compiler's words on standard error. Nothing of mcastd is
imported: the distribution's Python, which has bcc, need not have mcastd.

Request: {"source": str, "flags": [str], "headers": path, "programs": {name: "xdp" or "tc"}}.
Object: {"compiler": str,
         "maps": [{"name", "type", "key_size", "value_size", "entries", "flags"}],
         "programs": [{"name", "type", "code": base64, "maps": [[instruction, map name]]}]}.

bcc creates the maps while it compiles (they go when this process ends), so it needs CAP_BPF too.
"""

import base64
import ctypes
import json
import os
import struct
import sys
from contextlib import suppress
from typing import Any

NO_BCC = 3
"""Exit code: the bcc module is missing, or is the unrelated package of that name."""

NOT_COMPILED = 4
"""Exit code: the compiler refused; its words are on standard error."""

PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 4
NOBODY = 65534

LOAD_64 = 0x18
PSEUDO_MAP_FD = 1


def main() -> int:
    request = json.load(sys.stdin)
    os.environ["BCC_KERNEL_SOURCE"] = request["headers"]
    try:
        from bcc import BPF, __version__, lib  # noqa: PLC0415 (it reads the environment)
    except ImportError as error:
        print(error, file=sys.stderr)
        return NO_BCC
    leave_symbols_alone()
    try:
        module = BPF(text=request["source"], cflags=request["flags"], allow_rlimit=False)
    except Exception as error:
        print(error, file=sys.stderr)
        return NOT_COMPILED
    maps, names = describe_maps(module, lib)
    programs = [
        describe_program(module, lib, name, kind, names)
        for name, kind in request["programs"].items()
    ]
    json.dump({"compiler": f"bcc {__version__}", "maps": maps, "programs": programs}, sys.stdout)
    return 0


def leave_symbols_alone() -> None:
    """Keeps libbcc from reading the names of all the kernel's symbols, which nobody here needs.

    It takes a tenth of a second, and is done for root only: so this process is somebody else for
    its files and keeps its capabilities. Where that is not allowed, it just takes longer.
    """
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        with suppress(OSError):
            if libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0:
                os.seteuid(NOBODY)


def describe_maps(module: Any, lib: Any) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """The maps' properties, and their names by the descriptors that the code refers to."""
    lib.bpf_table_name.restype = ctypes.c_char_p
    lib.bpf_table_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    maps, names = [], {}
    for index in range(lib.bpf_num_tables(module.module)):
        name = lib.bpf_table_name(module.module, index)
        names[lib.bpf_table_fd_id(module.module, index)] = name.decode()
        maps.append(
            {
                "name": name.decode(),
                "type": lib.bpf_table_type_id(module.module, index),
                "key_size": lib.bpf_table_key_size_id(module.module, index),
                "value_size": lib.bpf_table_leaf_size_id(module.module, index),
                "entries": lib.bpf_table_max_entries_id(module.module, index),
                "flags": lib.bpf_table_flags_id(module.module, index),
            }
        )
    return maps, names


def describe_program(
    module: Any, lib: Any, name: str, kind: str, names: dict[int, str]
) -> dict[str, Any]:
    """The instructions, with the map's name where a map is referred to and no descriptor."""
    start = lib.bpf_function_start(module.module, name.encode())
    size = lib.bpf_function_size(module.module, name.encode())
    code = bytearray(ctypes.string_at(start, size))
    references = []
    for index in range(size // 8):
        opcode, registers, _, immediate = struct.unpack_from("<BBhi", code, index * 8)
        if opcode == LOAD_64 and registers >> 4 == PSEUDO_MAP_FD:
            references.append([index, names[immediate]])
            struct.pack_into("<i", code, index * 8 + 4, 0)
    encoded = base64.b64encode(bytes(code)).decode()
    return {"name": name, "type": kind, "code": encoded, "maps": references}


if __name__ == "__main__":
    sys.exit(main())
