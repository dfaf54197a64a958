"""Languages are told by BCP 47, whatever a container calls them."""

import pytest

from rushes.engine.languages import bcp47, language_name


@pytest.mark.parametrize(
    ("said", "tag"),
    [
        ("eng", "en"),
        ("ger", "de"),  # ISO 639-2/B, as Matroska has it
        ("deu", "de"),  # ISO 639-2/T, as MP4 has it
        ("zho", "zh"),
        ("zh-hant", "zh-Hant"),
        ("pt_br", "pt-BR"),
        ("PT-BR", "pt-BR"),
        ("iw", "he"),
        ("fil", "fil"),
        ("und", None),
        ("mul", None),
        ("zxx", None),
        ("English", None),
        ("../../etc", None),
        ("en" * 40, None),
        ("дe", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_is_what_bcp_47_calls_it(said: str | None, tag: str | None) -> None:
    assert bcp47(said) == tag


def test_menus_call_a_language_as_its_speakers_do() -> None:
    assert language_name("de") == "Deutsch"
    assert language_name("de-AT") == "Deutsch (AT)"
    assert language_name("pt-BR") == "Português (Brasil)"
    assert language_name("tlh") == "tlh"
