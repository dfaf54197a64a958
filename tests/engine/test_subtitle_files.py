"""Subtitle files of strangers become clean cues, or are refused with a sentence."""

import random
from pathlib import Path

import pytest

from rushes.engine.cues import MAX_CUE_MS, Cue, clean_text, in_order, make_cue
from rushes.engine.subtitle_files import MAX_FILE_BYTES, NoSubtitles, read_subtitles

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>First</i> line
second line

2
00:00:03,000 --> 00:00:04,000
{\\an8}At the top
"""


def texts(data: bytes | str, language: str | None = None) -> list[str]:
    return [cue.text for cue in read_subtitles(data.encode() if isinstance(data, str) else data, language)[1]]


def test_subrip_is_read() -> None:
    kind, cues = read_subtitles(SRT.encode())
    assert kind == "srt"
    assert cues == (
        Cue(start_ms=1000, end_ms=2500, text="<i>First</i> line\nsecond line"),
        Cue(start_ms=3000, end_ms=4000, text="At the top", settings="line:0"),
    )


def test_blank_lines_within_a_subrip_cue_and_missing_numbers_are_no_obstacle() -> None:
    assert texts("00:01,0 --> 00:02,0\nA\n\nB\n\n00:00:03.000 --> 00:00:04.000\n1984\n") == ["A\nB", "1984"]


def test_webvtt_keeps_its_places_and_loses_its_styles() -> None:
    text = (
        "\ufeffWEBVTT - a title\n\nSTYLE\n::cue { background: url(http://example.com/) }\n\nREGION\nid:x\n\n"
        "NOTE nobody sees this\n\nintro\n00:01.000 --> 00:02.000 line:10% region:x align:start onload:x\n"
        "<v Ann>Hello</v> <00:00:01.500><c.loud>you</c>\n\n01:00:00.000 --> 01:00:01.000\nlate\n"
    )
    kind, cues = read_subtitles(text.encode())
    assert kind == "vtt"
    assert cues[0] == Cue(start_ms=1000, end_ms=2000, text="Hello you", settings="line:10% align:start")
    assert cues[1].start_ms == 3_600_000


def test_ass_loses_its_drawings_and_keeps_italics_and_places() -> None:
    text = (
        "[Script Info]\nTitle: x\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
        "Comment: 0,0:00:00.00,0:00:09.00,Default,no\n"
        "Dialogue: 0,0:00:01.00,0:00:02.50,Default,{\\p1}m 0 0 l 100 0{\\p0}Hi, {\\i1}you{\\i0}\\Ntwo\\hwords\n"
        "Dialogue: 1,0:00:01.00,0:00:02.50,Default,Hi, {\\i1}you{\\i0}\\Ntwo\\hwords\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,{\\an8\\fad(200,200)}top & bottom\n"
    )
    kind, cues = read_subtitles(text.encode())
    assert kind == "ass"
    # Layers that say the same are one cue.
    assert cues == (
        Cue(start_ms=1000, end_ms=2500, text="Hi, <i>you</i>\ntwo words"),
        Cue(start_ms=3000, end_ms=4000, text="top &amp; bottom", settings="line:0"),
    )


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("<script>alert(1)</script>", "alert(1)"),
        ("<img src=x onerror=alert(1)>", ""),
        ("<b onclick='x'>bold</b>", "<b>bold</b>"),
        ("a < b && c --> d", "a &lt; b &amp;&amp; c --&gt; d"),
        ("&lt;script&gt; &amp;amp;", "&lt;script&gt; &amp;amp;"),
        ("<b>never closed", "<b>never closed</b>"),
        ("<b><i>crossed</b> tags</i></i>", "<b><i>crossed</i></b><i> tags</i>"),
        ("<font color=red>red</font>", "red"),
        ("  many \t spaces  \n\n\n and lines ", "many spaces\nand lines"),
        ("bell\x07 and\x00 null\x1b[31m", "bell and null [31m"),
        ("<i> </i>\n", ""),
    ],
)
def test_text_holds_nothing_but_bold_italic_and_underlined(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean
    assert clean_text(clean) == clean


def test_text_is_clean_whatever_comes() -> None:
    pieces = [
        "<",
        ">",
        "&",
        "</",
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<u",
        "-->",
        "\n",
        "{",
        "}",
        "a",
        ";",
        "&lt;",
        "<1:0>",
    ]
    chance = random.Random(7)
    for _ in range(2_000):
        clean = clean_text("".join(chance.choices(pieces, k=chance.randrange(12))))
        assert "-->" not in clean
        assert "\n\n" not in clean
        bare = clean
        for tag in ("<b>", "</b>", "<i>", "</i>", "<u>", "</u>"):
            bare = bare.replace(tag, "")
        assert "<" not in bare
        assert ">" not in bare


@pytest.mark.parametrize(
    ("text", "encoding", "language"),
    [
        ("Привет, как дела сегодня? Мы идём домой.", "cp1251", None),
        ("Où êtes-vous allés hier ? Ça ne va pas très bien, là-bas.", "cp1252", "fr"),
        ("こんにちは、世界。今日はいい天気です。", "shift_jis", None),
        ("你好世界。今天天气很好。", "gb18030", "zh-Hans"),
        ("Zażółć gęślą jaźń", "utf-16", "pl"),
        ("Zażółć gęślą jaźń", "utf-8-sig", None),
    ],
)
def test_files_in_older_encodings_are_read(text: str, encoding: str, language: str | None) -> None:
    assert texts(f"1\n00:00:01,000 --> 00:00:02,000\n{text}\n".encode(encoding), language) == [text]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  \n",
        b"just a text",
        b"\x89PNG\r\n\x1a\n\0\0\0",
        b"WEBVTT\n\nNOTE nothing\n",
        b"[Script Info]\n\n[Events]\nDialogue: broken\n",
        b"1\n00:00:02,000 --> 00:00:01,000\nbackwards\n",
        b"\xff\xfe\x00",
        b"<html><script>alert(1)</script></html>",
        b"#EXTM3U\n#EXTINF:1,\nhttp://example.com/\n",
        b"1\n00:00:01,000 --> 00:00:02,000\nx\n" + b"x" * MAX_FILE_BYTES,
    ],
)
def test_what_holds_no_subtitles_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(NoSubtitles) as refused:
        read_subtitles(data)
    assert str(refused.value).endswith(".")


def test_a_cue_ends_and_is_of_bounded_length() -> None:
    assert make_cue(5, 5, "x") is None
    long = make_cue(0, 10 * MAX_CUE_MS, "x" * 1_000_000)
    assert long is not None
    assert long.end_ms == MAX_CUE_MS
    assert len(long.text) <= 2_000


def test_cues_move_to_the_time_line_and_end_with_it() -> None:
    cues = [Cue(start_ms=100 * n, end_ms=100 * n + 150, text=f"{n}") for n in (3, 1, 0)]
    moved = in_order(cues, offset_ms=-120, end_ms=200)
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in moved] == [
        (0, 30, "0"),
        (0, 130, "1"),
        (180, 200, "3"),
    ]


def test_a_film_of_subtitles_is_read_in_no_time_and_hostile_ones_too(tmp_path: Path) -> None:
    many = "".join(
        f"{n}\n{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},000 --> 09:00:00,000\n<b<i<\n\n"
        for n in range(20_000)
    )
    assert len(texts(many)) == 20_000
    for bomb in ("<" * 900_000, "&" * 900_000, "{\\" * 400_000, "<b>" * 300_000, "</" * 400_000):
        texts(f"1\n00:00:01,000 --> 00:00:02,000\nx{bomb}\n")
