"""The `receive` steps of a scenario: from nodes to packets, by the real codecs."""

from __future__ import annotations

from ipaddress import ip_address

from mcastd import wire
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.records import RECORD_LABELS, GroupRecord
from mcastd.gmp.time import Duration, seconds
from mcastd.simulate.addresses import address, source_list
from mcastd.simulate.nodes import Node, hexadecimal
from mcastd.simulate.times import duration

_QUERIERS = {"igmp": ip_address("192.0.2.1").packed, "mld": ip_address("fe80::1").packed}
_OTHER_HOSTS = {"igmp": ip_address("192.0.2.20").packed, "mld": ip_address("fe80::20").packed}

_QUERY = [
    "message", "group", "sources", "max_resp", "qrv", "qqi", "s", "from", "to", "ttl",
    "router_alert",
]  # fmt: skip
_LONGEST_MTU = 65535
_MAX_RESPONSE = seconds(10)
_LARGEST_QQI = 31744


def received_packet(node: Node, family: ProtocolFamily) -> bytes:
    """The bytes that arrive, from the IP header on."""
    fields = node.entries()
    if "packet" in fields:
        return hexadecimal(node.fields(["packet"])["packet"])
    if "message" not in fields:
        node.refuse("either message or packet is wanted")
    match fields["message"].one_of(["query", "report", "leave", "done"]):
        case "query":
            return _query(node, family)
        case "report":
            return _report(node, family)
        case _:
            return _leave(node, family)


def _query(node: Node, family: ProtocolFamily) -> bytes:
    fields = node.fields(_QUERY, required=["version"])
    version = _version(fields["version"], family)
    sources = source_list(fields["sources"], family) if "sources" in fields else family.no_sources
    if sources and version != family.newest:
        fields["sources"].refuse(f"a query of version {version} has no 'sources'")
    group = _address(fields.get("group"), family, family.unspecified)
    return wire.query(
        family,
        version,
        group=group,
        sources=sources,
        max_response=_max_response(fields.get("max_resp"), family, version),
        robustness=fields["qrv"].integer(0, 7) if "qrv" in fields else 2,
        query_interval=seconds(fields["qqi"].integer(0, _LARGEST_QQI) if "qqi" in fields else 125),
        suppress=fields["s"].boolean() if "s" in fields else False,
        source=_address(fields.get("from"), family, _QUERIERS[family.name]),
        destination=_address(fields.get("to"), family, _destination(family, version, group)),
        ttl=fields["ttl"].integer(0, 255) if "ttl" in fields else 1,
        router_alert=fields["router_alert"].boolean() if "router_alert" in fields else None,
    )


def _destination(family: ProtocolFamily, version: int, group: Address) -> Address:
    """Where the RFCs send it: an IGMPv1 query has no group (RFC 1112 Appendix I)."""
    if group == family.unspecified or (version == 1 and family.version_1_max_response):
        return family.all_hosts
    return group


def _max_response(node: Node | None, family: ProtocolFamily, version: int) -> Duration:
    """In IGMPv1 always 0 on the wire, which stands for 10 s (RFC 9776 §7.2.1)."""
    given = duration(node) if node else _MAX_RESPONSE
    if version == 1 and family.version_1_max_response:
        if node and given not in (0, family.version_1_max_response):
            node.refuse("an IGMPv1 query has no Max Resp Time; it stands for 10 seconds")
        return Duration(0)
    longest = _longest_max_response(family, version)
    if node and given > longest:
        node.refuse(f"at most {longest / 1e9:g} seconds fit in a query of version {version}")
    return given


def _longest_max_response(family: ProtocolFamily, version: int) -> Duration:
    """Linear in the older versions, a floating-point code in the newest (RFC 9776 §4.1.1)."""
    bits, mantissa = family.max_response_code_bits, family.max_response_mantissa_bits
    counts = (1 << bits) - 1
    if version == family.newest:
        counts = ((1 << mantissa + 1) - 1) << 10
    return Duration(counts * family.max_response_unit)


def _report(node: Node, family: ProtocolFamily) -> bytes:
    fields = node.fields(["message", "group", "records", "from"], required=["version"])
    version = _version(fields["version"], family)
    source = _address(fields.get("from"), family, _OTHER_HOSTS[family.name])
    wanted, other = ("records", "group") if version == family.newest else ("group", "records")
    if wanted not in fields or other in fields:
        node.refuse(f"a report of version {version} has {wanted!r} and no {other!r}")
    if wanted == "group":
        return wire.membership_report(family, version, address(fields["group"], family), source)
    records = [_record(each, family) for each in fields["records"].items()]
    packets = list(wire.report_packets(family, records, source, _LONGEST_MTU))
    if len(packets) != 1:
        fields["records"].refuse("at least one record is wanted, and no more than fit in a packet")
    return packets[0]


def _record(node: Node, family: ProtocolFamily) -> GroupRecord:
    fields = node.fields([], required=["type", "group", "sources"])
    types = {name: kind for kind, name in RECORD_LABELS.items()}
    return GroupRecord(
        types[fields["type"].one_of(types)],
        address(fields["group"], family),
        source_list(fields["sources"], family),
    )


def _leave(node: Node, family: ProtocolFamily) -> bytes:
    fields = node.fields(["message", "from", "version"], required=["group"])
    if "version" in fields:
        leaving = [str(version) for version in family.leaving_versions]
        fields["version"].one_of(leaving)
    source = _address(fields.get("from"), family, _OTHER_HOSTS[family.name])
    return wire.leave(family, address(fields["group"], family), source)


def _version(node: Node, family: ProtocolFamily) -> int:
    return node.integer(family.versions[0], family.newest)


def _address(node: Node | None, family: ProtocolFamily, default: Address) -> Address:
    return address(node, family) if node else default
