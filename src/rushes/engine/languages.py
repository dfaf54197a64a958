"""Languages as BCP 47 has them, from what containers, people and file names say."""

from __future__ import annotations

import langcodes
from langcodes.tag_parser import LanguageTagError

#: What stands for "no language is known" in ISO 639.
_NOTHING = frozenset({"und", "mis", "zxx", "mul", "unk"})
_LONGEST = 35  # characters; RFC 5646 (4.4.1) says that every reasonable tag fits

#: What its speakers call a language: it is for them that a menu lists it.
NAMES: dict[str, str] = {
    "af": "Afrikaans", "ar": "العربية", "az": "Azərbaycanca", "be": "Беларуская", "bg": "Български",
    "bn": "বাংলা", "br": "Brezhoneg", "bs": "Bosanski", "ca": "Català", "cs": "Čeština", "cy": "Cymraeg",
    "da": "Dansk", "de": "Deutsch", "el": "Ελληνικά", "en": "English", "eo": "Esperanto", "es": "Español",
    "et": "Eesti", "eu": "Euskara", "fa": "فارسی", "fi": "Suomi", "fil": "Filipino", "fr": "Français",
    "fy": "Frysk", "ga": "Gaeilge", "gd": "Gàidhlig", "gl": "Galego", "gu": "ગુજરાતી", "he": "עברית",
    "hi": "हिन्दी", "hr": "Hrvatski", "hu": "Magyar", "hy": "Հայերեն", "id": "Bahasa Indonesia", "is": "Íslenska",
    "it": "Italiano", "ja": "日本語", "ka": "ქართული", "kk": "Қазақ тілі", "km": "ខ្មែរ", "kn": "ಕನ್ನಡ",
    "ko": "한국어", "ky": "Кыргызча", "la": "Latina", "lb": "Lëtzebuergesch", "lt": "Lietuvių", "lv": "Latviešu",
    "mk": "Македонски", "ml": "മലയാളം", "mn": "Монгол", "mr": "मराठी", "ms": "Bahasa Melayu", "my": "မြန်မာ",
    "nb": "Norsk bokmål", "ne": "नेपाली", "nl": "Nederlands", "nn": "Norsk nynorsk", "no": "Norsk", "pa": "ਪੰਜਾਬੀ",
    "pl": "Polski", "pt": "Português", "pt-BR": "Português (Brasil)", "ro": "Română", "ru": "Русский",
    "si": "සිංහල", "sk": "Slovenčina", "sl": "Slovenščina", "sq": "Shqip", "sr": "Српски", "sv": "Svenska",
    "sw": "Kiswahili", "ta": "தமிழ்", "te": "తెలుగు", "th": "ไทย", "tl": "Tagalog", "tr": "Türkçe",
    "uk": "Українська", "ur": "اردو", "uz": "O\u02bbzbek", "vi": "Tiếng Việt", "zh": "中文", "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文", "zu": "isiZulu",
}  # fmt: skip


def bcp47(text: str | None) -> str | None:
    """`ger`, `de_at`, `zh-hant` as BCP 47 writes them (`de`, `de-AT`, `zh-Hant`); None where that names no language.

    ISO 639-2 of both kinds (ger, deu) becomes the two letters that RFC 5646 (2.2.1) asks for.
    """
    if not text or len(text) > _LONGEST or not text.isascii():
        return None
    try:
        tag = langcodes.standardize_tag(text.strip(), macro=False)
    except LanguageTagError:
        return None
    if tag.partition("-")[0].lower() in _NOTHING or not langcodes.tag_is_valid(tag):
        return None
    return tag


def language_name(tag: str) -> str:
    """What a menu calls a language: its own name, with the region where there is one; else the tag itself."""
    if tag in NAMES:
        return NAMES[tag]
    first, _, rest = tag.partition("-")
    return f"{NAMES[first]} ({rest})" if rest and first in NAMES else tag
