"""Kernels that lack something, or are told to refuse it: one line each, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from mcastd.fastpath.attach import NO_CLSACT
from support.kernel_features import TCX_SINCE
from support.machines import Kernel, Machine
from support.machines.guest_tests import brought, run_tests
from support.machines.kernel import key

pytestmark = pytest.mark.kernels

WITHOUT_CLSACT = """
echo "install sch_ingress /bin/false" >/etc/modprobe.d/lacking.conf
ip link add eth0 type veth peer name eth1 && ip link set eth0 up && ip link set eth1 up
mcastd run -i eth0 --metrics "" --control /run/lacking.sock 2>/run/lacking.log &
until mcastctl --control /run/lacking.sock status --json 2>/dev/null; do
	kill -0 $! || exit 1
	sleep 1
done
kill $! && wait $!
cat /run/lacking.log >&2
"""


@contextmanager
def booted(kernel: Kernel, *options: str) -> Iterator[Machine]:
    with Machine(kernel, options=options) as machine:
        yield machine


def test_without_tcx_and_clsact_the_agent_says_what_to_load(kernel: Kernel) -> None:
    if key(kernel.release)[:2] >= TCX_SINCE:
        pytest.skip("it has TCX")
    with booted(kernel) as machine:
        done = machine.run(
            ["sh", "-c", WITHOUT_CLSACT], environment={"MCASTD_CACHE": brought(machine)}
        )

    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["interfaces"]
    assert found["problem"] == f"cannot attach: {NO_CLSACT}"
    assert done.stderr.count(NO_CLSACT) == 1
    assert "Traceback" not in done.stderr


def test_lockdown_and_what_others_may_not_do_are_no_obstacle(kernel: Kernel) -> None:
    """They forbid what the programs do not do: to read the kernel's memory, to be nobody's."""
    with booted(kernel, "lockdown=confidentiality") as machine:
        locked = machine.run(["cat", "/sys/kernel/security/lockdown"])
        assert "[confidentiality]" in locked.stdout
        machine.run(["sysctl", "-w", "kernel.unprivileged_bpf_disabled=1"])
        found = run_tests(
            machine,
            ["tests/bpf/test_bpf_loading.py::test_three_capabilities_are_enough_to_load"],
            seconds=600,
        )
    assert found.fine, str(found)
