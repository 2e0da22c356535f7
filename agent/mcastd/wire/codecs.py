"""Both families' codecs."""

from __future__ import annotations

from mcastd.gmp.family import ProtocolFamily
from mcastd.wire import igmp, mld
from mcastd.wire.codec import Codec

_BY_NAME = {codec.family.name: codec for codec in (igmp.CODEC, mld.CODEC)}


def codec_of(family: ProtocolFamily) -> Codec:
    return _BY_NAME[family.name]
