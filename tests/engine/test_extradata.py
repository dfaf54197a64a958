"""H.264 headers: what a player is told before it fetches a segment, and what decides whether a stream may be copied."""

import pytest

from rushes.engine.extradata import bytes_of_dump, h264_headers

SPS = bytes.fromhex("6742c028da01e0089f970110000003001000000300c0f1832a")
OTHER_SPS = bytes.fromhex("674d401f9652028097610110")
PPS = bytes.fromhex("68ce3c80")


def avcc(*sets: bytes) -> bytes:
    head = b"\x01" + sets[0][1:4] + b"\xff" + bytes([0xE0 | len(sets)])
    body = b"".join(len(s).to_bytes(2, "big") + s for s in sets)
    return head + body + b"\x01" + len(PPS).to_bytes(2, "big") + PPS


def annex_b(*units: bytes) -> bytes:
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)


def test_a_dump_becomes_the_bytes_again() -> None:
    dump = (
        "\n00000000: 0142 c028 ffe1 0019 6742 c028 da01 e008  .B.(....gB.(....\n"
        "00000010: 9f97 01                                  ...\n"
    )
    assert bytes_of_dump(dump).hex() == "0142c028ffe100196742c028da01e0089f9701"


@pytest.mark.parametrize("form", [lambda *s: avcc(*s), lambda *s: annex_b(*s, PPS)], ids=["avcC", "Annex B"])
def test_both_forms_tell_profile_level_and_the_number_of_sets(form) -> None:  # type: ignore[no-untyped-def]
    one = h264_headers(form(SPS))
    assert one is not None
    assert (one.codec_string, one.parameter_sets) == ("avc1.42c028", 1)
    two = h264_headers(form(SPS, OTHER_SPS))
    assert two is not None
    assert two.parameter_sets == 2


def test_the_same_set_twice_is_one() -> None:
    twice = h264_headers(annex_b(SPS, PPS, SPS, PPS))
    assert twice is not None
    assert twice.parameter_sets == 1


@pytest.mark.parametrize(
    "damaged", [b"", b"\x01", b"\x01\x42\xc0\x28\xff\xe1", b"\x00\x00\x01", annex_b(PPS)]
)
def test_damaged_headers_tell_nothing(damaged: bytes) -> None:
    assert h264_headers(damaged) is None
