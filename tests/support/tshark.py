"""What tshark says of the IGMP and MLD packets of a capture, in the words of `mcastd classify`."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

TSHARK = shutil.which("tshark")

OPTIONS = ["-n", "-T", "pdml", "-Y", "igmp or icmpv6 or dvmrp or pim or _ws.malformed", *(
    option
    for setting in ("ip.check_checksum:TRUE", "ip.defragment:FALSE", "ipv6.defragment:FALSE")
    for option in ("-o", setting)
)]  # fmt: skip

IGMP_TYPES = {0x11: "query", 0x12: "report", 0x16: "report", 0x22: "report", 0x17: "leave"}
MLD_TYPES = {130: ("query", 1), 131: ("report", 1), 132: ("leave", 1), 143: ("report", 2)}
RECORD_TYPES = {1: "IS_IN", 2: "IS_EX", 3: "TO_IN", 4: "TO_EX", 5: "ALLOW", 6: "BLOCK"}

GOOD = "1"


@dataclass
class Dissected:
    """`said`: fields as in a line of classify; none if tshark did not come to the message.

    `checksums`: whether each that tshark looked at, the IPv4 header's and the message's, is good.
    `malformed`: tshark missed bytes.
    """

    said: dict[str, Any]
    checksums: list[bool] = field(default_factory=list)
    malformed: bool = False


def dissect(capture: Path) -> dict[int, Dissected]:
    """By frame number; only IGMP and MLD that is not inside of something else."""
    assert TSHARK is not None
    run = subprocess.run([TSHARK, "-r", capture, *OPTIONS], capture_output=True, check=False)
    packets = ET.fromstring(run.stdout).findall("packet")
    found = ((_number(packet), _dissected(packet)) for packet in packets)
    return {number: each for number, each in found if each is not None}


def _number(packet: ET.Element) -> int:
    return int(_one(packet, "frame.number") or 0)


def _all(element: ET.Element, name: str) -> list[str]:
    return [found.get("show", "") for found in element.iter("field") if found.get("name") == name]


def _one(element: ET.Element, name: str) -> str | None:
    return next(iter(_all(element, name)), None)


def _dissected(packet: ET.Element) -> Dissected | None:
    protocols = {each.get("name"): each for each in reversed(packet.findall("proto"))}
    igmp, icmpv6 = protocols.get("igmp"), protocols.get("icmpv6")
    malformed = "_ws.malformed" in protocols
    said: dict[str, Any] = {}
    checksums: list[str | None] = []
    if igmp is not None and "ip" in protocols:
        said = _igmp(igmp)
        checksums = [
            _one(protocols["ip"], "ip.checksum.status"),
            _one(igmp, "igmp.checksum.status"),
        ]
    elif icmpv6 is not None and "ipv6" in protocols:
        if int(_one(icmpv6, "icmpv6.type") or 0) not in MLD_TYPES:
            return None
        said = _mld(icmpv6)
        checksums = [_one(icmpv6, "icmpv6.checksum.status")]
    elif not malformed:
        return None
    tags = _all(packet, "ieee8021ad.id") + _all(packet, "vlan.id")
    said["vlan"] = [int(each) for each in tags]
    return Dissected(said, [each == GOOD for each in checksums if each is not None], malformed)


def _igmp(igmp: ET.Element) -> dict[str, Any]:
    type_ = int(_one(igmp, "igmp.type") or "0", 0)
    said: dict[str, Any] = {"protocol": "igmp", "type": IGMP_TYPES.get(type_, "other")}
    said["version"] = int(_one(igmp, "igmp.version") or 0)
    if type_ == 0x22:
        said["records"] = _records(igmp, "igmp.record_type", "igmp.maddr", "igmp.saddr")
    elif type_ in IGMP_TYPES:
        said["group"] = _address(igmp, "igmp.maddr")
    if type_ == 0x11:
        said["sources"] = _addresses(igmp, "igmp.saddr")
    return said


def _mld(icmpv6: ET.Element) -> dict[str, Any]:
    type_, version = MLD_TYPES[int(_one(icmpv6, "icmpv6.type") or 0)]
    said: dict[str, Any] = {"protocol": "mld", "type": type_, "version": version}
    mar = "icmpv6.mldr.mar"
    if (type_, version) == ("report", 2):
        records = _records(
            icmpv6, f"{mar}.record_type", f"{mar}.multicast_address", f"{mar}.source_address"
        )
        count = int(_one(icmpv6, "icmpv6.mldr.nb_mcast_records") or 0)
        said["records"] = records[:count]  # tshark takes additional data for more of them
        return said
    said["group"] = _address(icmpv6, "icmpv6.mld.multicast_address")
    if type_ == "query":
        said["version"] = 1 if _one(icmpv6, "icmpv6.mld.nb_sources") is None else 2
        said["sources"] = _addresses(icmpv6, "icmpv6.mld.source_address")
    return said


def _records(message: ET.Element, type_: str, group: str, source: str) -> list[dict[str, Any]]:
    return [
        {
            "type": _record_type(int(_one(record, type_) or 0)),
            "group": _address(record, group),
            "sources": _addresses(record, source),
        }
        for record in message.findall("field")
        if _one(record, type_) is not None
    ]


def _record_type(number: int) -> str:
    return RECORD_TYPES.get(number, f"UNKNOWN_{number}")


def _address(element: ET.Element, name: str) -> str | None:
    text = _one(element, name)
    return None if text is None else str(ip_address(text))


def _addresses(element: ET.Element, name: str) -> list[str]:
    return sorted({str(ip_address(text)) for text in _all(element, name)})
