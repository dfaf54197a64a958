"""The program that decodes one photo: upright, in sRGB, without metadata, as WebP and JPEG in several sizes.

Run as a script in a process of its own (`python -I photo_child.py SOURCE FOLDER RECIPE`), because image decoders are
where hostile files attack: a crash, a bomb or an endless loop costs this process and nothing else. It imports nothing
of Rushes. What it made it tells in a file of FOLDER; what it refuses, in one sentence on stderr and by its status.
RECIPE is `photo.Recipe` as JSON.
"""

import json
import math
import mmap
import re
import resource
import struct
import sys
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import AvifImagePlugin, Image, ImageCms, ImageFilter

#: What is opened, whatever the file is called. JPEG is also MPO, as phones write it; other plugins stay asleep.
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF")

_ORIENTATION = 0x0112  # EXIF; the values are those of TIFF 6.0
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: A second `ftyp` box, of a film: motion photos have an MP4 behind the picture, or in a box of it.
_FILM = re.compile(rb"\x00\x00\x00[\x08-\xff]ftyp(?:mp4|iso|avc|qt)")
_FILM_FROM = 64  # where the file's own `ftyp`, of HEIC and AVIF, is behind us
#: HEIC and AVIF name their colours by numbers of ITU-T H.273: primaries and transfer, in a box near the beginning.
_NCLX = re.compile(rb"colrnclx(..)(..)", re.DOTALL)
_NCLX_WITHIN_BYTES = 1 << 20
_PQ, _HLG = 16, 18
#: From these primaries to those of sRGB, rows for red, green and blue (BT.2087 for BT.2020; P3 by the same way).
_TO_SRGB = {
    9: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    12: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
}
_WHITE_NITS = 203.0  # of a white page in HDR, BT.2408
_KNEE = 0.5  # below it light stays as it is; above it is rolled off towards white
_LUT_SIDE = 33
#: An ICC profile is for pixels of its own colour space, as the profile names it.
_MODES_OF_SPACE = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}

Recipe = dict[str, Any]


class Refused(Exception):
    """The photo can't be made; the message is for whoever sent it."""


def main(arguments: list[str]) -> int:
    """Make the pictures of one photo; the exit status."""
    source, folder, recipe = Path(arguments[0]), Path(arguments[1]), json.loads(arguments[2])
    # Decoders allocate by what a header says. Beyond this malloc fails, here and not in the rest of the machine.
    resource.setrlimit(resource.RLIMIT_AS, (recipe["memory_bytes"], recipe["memory_bytes"]))
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a CPU slot is one thread
    try:
        told = make(source, folder, recipe)
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return int(recipe["refused_status"])
    except MemoryError:
        sys.stderr.write("This photo takes more memory to decode than a photo may.\n")
        return int(recipe["refused_status"])
    (folder / recipe["result"]).write_text(json.dumps(told))
    return 0


def make(source: Path, folder: Path, recipe: Recipe) -> dict[str, Any]:
    """Write `<long side>.webp` and `.jpg` for each size into the folder; what was made. Raises Refused."""
    image, notes = opened(source, recipe)
    name, profile, orientation = str(image.format), image.info.get("icc_profile"), orientation_of(image)
    size = decoded(image)
    sides = sides_of(max(size), recipe["long_sides_px"])
    # The largest first, each from the one before. The costly steps are done on it, not on fifty megapixels.
    picture = scaled(with_plain_pixels(image), size, sides[0])
    picture, note = in_srgb(picture, profile, None if profile else nclx_of(source))
    notes += note
    if orientation in _UPRIGHT:
        picture = picture.transpose(_UPRIGHT[orientation])
        size = size[::-1] if orientation >= 5 else size
    made = []
    for side in sides:
        picture = scaled(picture, size, side)
        made.append(
            {"long_px": side, "width": picture.width, "height": picture.height}
            | written(picture, folder, side, recipe)
        )
    if has_film(source):
        notes.append("A short film is in this file, too (a motion photo); only the photo is shown.")
    return {
        "format": "JPEG" if name == "MPO" else name,
        "width": size[0],
        "height": size[1],
        "pictures": made,
        "warnings": notes,
    }


def opened(source: Path, recipe: Recipe) -> tuple[Image.Image, list[str]]:
    """The photo by its header, and what is to be said of it. Raises Refused."""
    Image.MAX_IMAGE_PIXELS = recipe["max_pixels"]
    most = f"{recipe['max_pixels'] / 1e6:.0f} megapixels are the most"
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        image = Image.open(source, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused(f"This photo has too many pixels: {most}.") from error
    except MemoryError:
        raise
    except Exception as error:  # plugins raise whatever their parsers stumble over
        raise Refused("This is not a photo that can be read, or not the whole of one.") from error
    if image.width * image.height > recipe["max_pixels"]:
        raise Refused(f"This photo has {image.width * image.height / 1e6:.0f} megapixels; {most}.")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # there the others are previews, depth and gain maps
        return image, [f"This file has {frames} pictures; one of them is shown."]
    return image, []


def decoded(image: Image.Image) -> tuple[int, int]:
    """Decode it; width and height. Raises Refused for what is cut off or damaged."""
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:
        if "truncated" in str(error).lower() or isinstance(error, EOFError):
            raise Refused("This file is cut off: the photo in it is not whole. Send it again.") from error
        raise Refused("This photo is damaged and can't be decoded.") from error
    return image.size


def orientation_of(image: Image.Image) -> int:
    """How the camera was held, from 1 (upright) to 8; HEIC and AVIF say it by boxes, which their plugins follow."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (ValueError, TypeError, SyntaxError, KeyError, EOFError, OSError, struct.error, OverflowError):
        return 1  # many a program writes EXIF that nobody can read; the photo is none the worse


def sides_of(long_px: int, wanted: list[int]) -> list[int]:
    """The sizes to make, by the longer side, the largest first: never larger than the photo.

    One that is smaller than the next size has its own; none is made that is hardly smaller than the largest.
    """
    largest = min(long_px, max(wanted))
    return [largest, *sorted((side for side in wanted if side * 1.1 < largest), reverse=True)]


def with_plain_pixels(image: Image.Image) -> Image.Image:
    """8 bits for each channel, in a mode that can be scaled; transparency as a channel."""
    if image.mode.startswith("I"):  # 16 bit grey
        return image.point(lambda value: value / 256).convert("L")
    if image.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "RGBA", "CMYK") else image.convert("RGB")


def in_srgb(
    image: Image.Image, profile: bytes | None, nclx: tuple[int, int] | None
) -> tuple[Image.Image, list[str]]:
    """The colours as every screen expects them: profiles are not kept, so that nothing depends on them."""
    notes = []
    if profile:
        try:
            described = ImageCms.ImageCmsProfile(BytesIO(profile))
            if image.mode in _MODES_OF_SPACE.get(described.profile.xcolor_space.strip(), ()):
                image = (
                    ImageCms.profileToProfile(
                        image,
                        described,
                        ImageCms.createProfile("sRGB"),
                        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                        outputMode="RGBA" if image.mode == "RGBA" else "RGB",
                        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
                    )
                    or image
                )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append("The colour profile of this photo can't be read; its colours are taken for sRGB.")
    elif nclx is not None and image.mode in ("RGB", "RGBA"):
        primaries, transfer = nclx
        if transfer in (_PQ, _HLG):
            notes.append("This is an HDR photo; it is shown in the range of ordinary screens.")
            alpha = list(range(256)) if image.mode == "RGBA" else []
            image = image.point(ordinary_range(transfer) * 3 + alpha)
        if primaries in _TO_SRGB:
            image = image.filter(to_srgb_primaries(primaries))
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")  # an alpha channel that hides nothing
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGB")
    return image, notes


def nclx_of(source: Path) -> tuple[int, int] | None:
    """Primaries and transfer as a HEIC or AVIF names them."""
    with source.open("rb") as file:
        head = file.read(_NCLX_WITHIN_BYTES)
    found = _NCLX.search(head) if head[4:8] == b"ftyp" else None
    return (int.from_bytes(found[1]), int.from_bytes(found[2])) if found else None


def ordinary_range(transfer: int) -> list[int]:
    """For each code of PQ or HLG the code of sRGB that shows it. What is darker than paper keeps its light."""
    codes = []
    for code in range(256):
        light = hdr_light(code / 255, transfer)
        if light > _KNEE:
            light = _KNEE + (1 - _KNEE) * (1 - math.exp((_KNEE - light) / (1 - _KNEE)))
        codes.append(round(255 * encoded(light)))
    return codes


def hdr_light(value: float, transfer: int) -> float:
    """Light on a screen, 1.0 being white paper. PQ: SMPTE ST 2084; HLG: BT.2100, a screen of 1,000 nits."""
    if transfer == _PQ:
        power = value ** (1 / 78.84375)
        ratio = max(0.0, power - 0.8359375) / (18.8515625 - 18.6875 * power)
        return float(10_000 / _WHITE_NITS * ratio ** (1 / 0.1593017578125))
    scene = value**2 / 3 if value <= 0.5 else (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return float(1000 / _WHITE_NITS * scene**1.2)


def to_srgb_primaries(primaries: int) -> ImageFilter.Color3DLUT:
    """From those primaries to sRGB's; on both sides with sRGB's transfer, so that between its points it is smooth."""
    matrix = _TO_SRGB[primaries]

    def look(*values: float) -> tuple[float, float, float]:
        light = [decoded_light(value) for value in values]
        mixed = [sum(m * value for m, value in zip(row, light, strict=True)) for row in matrix]
        red, green, blue = (encoded(min(1.0, max(0.0, value))) for value in mixed)
        return red, green, blue

    return ImageFilter.Color3DLUT.generate(_LUT_SIDE, look)


def decoded_light(value: float) -> float:
    """The other way than `encoded`."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def encoded(light: float) -> float:
    """sRGB's transfer, IEC 61966-2-1."""
    return 12.92 * light if light <= 0.0031308 else float(1.055 * light ** (1 / 2.4) - 0.055)


def scaled(image: Image.Image, full: tuple[int, int], long_px: int) -> Image.Image:
    """That long by the longer side, in the shape of the full photo: not of its smaller ones, which are rounded."""
    factor = long_px / max(full)
    width, height = (max(1, round(side * factor)) for side in full)
    if (width, height) == image.size:
        return image
    # reducing_gap: whole pixels are averaged first where much is taken away; as good to the eye, and faster.
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def written(image: Image.Image, folder: Path, side: int, recipe: Recipe) -> dict[str, int]:
    """Write both files and read them back; their sizes. Raises OSError."""
    image.info.clear()  # savers take comments and profiles from there
    webp, jpeg = folder / f"{side}.webp", folder / f"{side}.jpg"
    image.save(webp, "WEBP", quality=recipe["webp_quality"], method=4)
    flat = on_white(image) if image.mode == "RGBA" else image
    flat.save(jpeg, "JPEG", quality=recipe["jpeg_quality"], optimize=True, progressive=True)
    for path in (webp, jpeg):
        with Image.open(path, formats=("WEBP", "JPEG")) as made:
            made.load()
            if made.size != image.size or {"exif", "xmp", "icc_profile", "comment"} & set(made.info):
                raise OSError(f"{path.name} is not what was to be written")
    return {"webp_bytes": webp.stat().st_size, "jpeg_bytes": jpeg.stat().st_size}


def on_white(image: Image.Image) -> Image.Image:
    """JPEG has no transparency: what shines through is paper."""
    paper = Image.new("RGB", image.size, (255, 255, 255))
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def has_film(source: Path) -> bool:
    """Whether an MP4 is in the file beside the photo."""
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _FILM.search(data, _FILM_FROM) is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
