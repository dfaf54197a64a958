"""A multipart form, read as it comes: bytes go in, what they mean comes out. No file and no socket is touched here.

RFC 7578 says what a form is, RFC 2046 what its parts are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.http import parse_header_parameters
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from rushes.uploads.refusals import Refusal

#: RFC 2046 5.1.1: a boundary has at most 70 characters.
BOUNDARY_LIMIT = 70
#: One header line of a part: a long file name, all of it escaped, has room.
HEADER_LIMIT_BYTES = 4096
HEADER_LIMIT = 8
#: After the last boundary nothing of use comes; a CR LF is usual.
EPILOGUE_LIMIT_BYTES = 65_536
TRANSPARENT_ENCODINGS = ("", "7bit", "8bit", "binary")


class Malformed(Refusal):
    """The body is not the form that its headers promise."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "malformed_form", message)


@dataclass(frozen=True)
class FormLimits:
    """How much of what is not a file is taken. Django gets it urlencoded, at up to three times its size."""

    fields: int = 100
    field_bytes: int = 65_536
    fields_bytes: int = 524_288
    files: int = 4


@dataclass(frozen=True)
class FileBegins:
    """A part with a file name: what follows until FileEnds is its content."""

    field: str
    name: str


@dataclass(frozen=True)
class FileData:
    """The next bytes of the file."""

    data: bytes


@dataclass(frozen=True)
class FileEnds:
    """The file is whole."""


Event = FileBegins | FileData | FileEnds


@dataclass
class _Part:
    """The part that is being read."""

    headers: dict[str, str] = field(default_factory=dict)
    field: str = ""
    text: bytearray | None = None  # of a field
    file_name: str | None = None  # of a file; empty: nothing was chosen in the browser's form


class FormReader:
    """Reads one form. Its fields are in `fields`; its files come as events."""

    def __init__(self, content_type: str, limits: FormLimits | None = None) -> None:
        """Begin a form with this Content-Type header. Raises Malformed."""
        self.fields: list[tuple[str, bytes]] = []
        self._limits = limits or FormLimits()
        self._fields_bytes = 0
        self._files: set[str] = set()
        self._events: list[Event] = []
        self._part = _Part()
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._ended = False
        self._epilogue_bytes = 0
        self._parser = MultipartParser(
            _boundary(content_type),
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._read_header_name,
                "on_header_value": self._read_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._read_data,
                "on_part_end": self._end_part,
                "on_end": self._end_form,
            },
            max_header_count=HEADER_LIMIT,
            max_header_size=HEADER_LIMIT_BYTES,
        )

    def feed(self, data: bytes) -> list[Event]:
        """Read on; what there is of files in it. Raises Refusal."""
        if self._ended:
            self._epilogue_bytes += len(data)
            if self._epilogue_bytes > EPILOGUE_LIMIT_BYTES:
                raise Malformed("The form goes on after its last boundary.")
            return []
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise Malformed(f"The form can't be read: {error}.") from error
        events, self._events = self._events, []
        return events

    def end(self) -> None:
        """Nothing more comes. Raises Malformed where the form is not whole."""
        if not self._ended:
            raise Malformed("The form ends before its last boundary.")

    def _begin_part(self) -> None:
        self._part = _Part()

    def _read_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _read_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name = self._header_name.decode("latin-1").lower()
        # Browsers send names of files as UTF-8; others, which are rare, must not end in an error.
        self._part.headers[name] = self._header_value.decode("utf-8", "replace")
        self._header_name.clear()
        self._header_value.clear()

    def _end_headers(self) -> None:
        part, headers = self._part, self._part.headers
        kind, options = _parameters(headers.get("content-disposition", ""))
        if kind != "form-data" or not options.get("name"):
            raise Malformed("Each part of a form needs a Content-Disposition of form-data with a name.")
        if headers.get("content-transfer-encoding", "").strip().lower() not in TRANSPARENT_ENCODINGS:
            raise Malformed("Parts with a Content-Transfer-Encoding are not taken; send files as they are.")
        part.field = options["name"]
        if "filename" in options:
            self._begin_file(part, options["filename"])
        else:
            if len(self.fields) >= self._limits.fields:
                raise Malformed(f"The form has more than {self._limits.fields} fields.")
            part.text = bytearray()

    def _begin_file(self, part: _Part, name: str) -> None:
        part.file_name = name
        if not name:
            return
        if part.field in self._files:
            # Taking the last, as many do, would lose the others without a word.
            raise Refusal(
                400, "one_file_only", f'There is more than one file in "{part.field}": send one a request.'
            )
        if len(self._files) >= self._limits.files:
            raise Malformed(f"The form has more than {self._limits.files} files.")
        self._files.add(part.field)
        self._events.append(FileBegins(part.field, name))

    def _read_data(self, data: bytes, start: int, end: int) -> None:
        text = self._part.text
        if text is None:
            if self._part.file_name:
                self._events.append(FileData(data[start:end]))
            return
        self._fields_bytes += end - start
        if (
            len(text) + end - start > self._limits.field_bytes
            or self._fields_bytes > self._limits.fields_bytes
        ):
            raise Refusal(
                413,
                "field_too_large",
                f'The field "{self._part.field}" is too long. If it is meant to be a file, its part needs a filename.',
            )
        text += data[start:end]

    def _end_part(self) -> None:
        if self._part.text is not None:
            self.fields.append((self._part.field, bytes(self._part.text)))
        elif self._part.file_name:
            self._events.append(FileEnds())

    def _end_form(self) -> None:
        self._ended = True


def _boundary(content_type: str) -> bytes:
    _, options = _parameters(content_type)
    boundary = options.get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise Malformed("The Content-Type names no boundary; let your HTTP library write that header.")
    if len(boundary) > BOUNDARY_LIMIT:
        raise Malformed(f"The boundary has more than {BOUNDARY_LIMIT} characters.")
    return boundary


def _parameters(header: str) -> tuple[str, dict[str, str]]:
    """The value of a header and its parameters; also those in the manner of RFC 2231 (`filename*`)."""
    try:
        kind, options = parse_header_parameters(header)
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise Malformed("A header of the form can't be read.") from error
    return kind, {name: value for name, value in options.items() if isinstance(value, str)}
