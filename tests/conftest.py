"""Fixtures that every engine test has: both families, and a network to match."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings
from mcastd.gmp.family import FAMILIES, IGMP, MLD, ProtocolFamily
from support.network import Network
from support.privileges import skip_without_root
from support.timeline import Timeline

# How long an example takes depends on the machine, and says nothing about what it shows.
# How fast inputs are made says something of the machine alone: some have no KVM.
settings.register_profile("mcastd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mcastd")


@pytest.fixture(params=FAMILIES.values(), ids=lambda family: family.name)
def family(request: pytest.FixtureRequest) -> ProtocolFamily:
    value: ProtocolFamily = request.param
    return value


@pytest.fixture
def net(family: ProtocolFamily) -> Network:
    return Network(family)


@pytest.fixture
def timeline(net: Network) -> Timeline:
    return Timeline(net)


@pytest.fixture
def igmp() -> Timeline:
    return Timeline(Network(IGMP))


@pytest.fixture
def mld() -> Timeline:
    return Timeline(Network(MLD))


def pytest_configure() -> None:
    """What a shell starts in the background ignores SIGINT, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without_root(items)
