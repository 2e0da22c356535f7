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

SOCKETS_ARE_MEMORY = (6, 1)
"""The kernel of which it is known that lockdown for confidentiality forbids looking at sockets."""

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


LOCKED_DOWN = """
sysctl -q -w kernel.unprivileged_bpf_disabled=1
ip link add eth0 type veth peer name eth1 && ip link set eth0 up && ip link set eth1 up
mcastd run -i eth0 --metrics "" --control /run/locked.sock 2>/run/locked.log &
until mcastctl --control /run/locked.sock status --json 2>/dev/null; do
	kill -0 $! || { cat /run/locked.log >&2; exit 1; }
	sleep 1
done
mcastctl --control /run/locked.sock doctor --json
kill $! && wait $!
cat /run/locked.log >&2
"""


def test_lockdown_and_what_others_may_not_do_are_no_obstacle(kernel: Kernel) -> None:
    """They forbid what the programs of packets do not do: to read the kernel's memory, to be
    nobody's. The one that looks at sockets reads it: where that is forbidden, doctor says so."""
    with booted(kernel, "lockdown=confidentiality") as machine:
        locked = machine.run(["cat", "/sys/kernel/security/lockdown"])
        assert "[confidentiality]" in locked.stdout
        machine.run(["sysctl", "-w", "kernel.unprivileged_bpf_disabled=1"])
        found = run_tests(
            machine,
            ["tests/bpf/test_bpf_loading.py::test_three_capabilities_are_enough_to_load[packets]"],
            seconds=600,
        )
        assert found.fine, str(found)
        run = machine.run(["sh", "-c", LOCKED_DOWN], environment={"MCASTD_CACHE": brought(machine)})

    assert run.returncode == 0, run.stderr
    status, findings = map(json.loads, run.stdout.splitlines())
    (interface,) = status["interfaces"]
    assert (interface["problem"], interface["hook"]) == (None, "xdp-native")
    unseen = [each for each in findings if each["kind"] == "sockets_not_seen"]
    assert all("lockdown" in each["text"] + each["remedy"] for each in unseen)
    if key(kernel.release)[:2] == SOCKETS_ARE_MEMORY:
        assert [each["interface"] for each in unseen] == [None]
    assert "Traceback" not in run.stderr
