"""The fast path: the programs on the NIC, their counters, and the events that they hand over.

    fast_path = FastPath.open(say)
    attachment = fast_path.attach("eth0", ifindex, policy)
    fast_path.rings["query"].drain() -> [Captured]
    fast_path.counters() -> {"eth0": Counters}

Only this package knows bcc, and calls libbpf. (The C module `_libbpf` has some calls of libc, too,
which `net` and `service` use.) Names are imported from its modules: at the start, programs are to
be on their way into the kernel before the rest is there.
"""
