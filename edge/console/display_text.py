"""Texts as they may be shown: without secrets, and without codes that a terminal would obey."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote, unquote_plus

HIDDEN = "***"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+?(?=[\"'),.:;>]*(?:\s|$))")
"""A URL in a sentence, without the marks that end it."""

_AS_PATH = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{2,}):/(?=[^/\s])[^\s;,]+")
"""A URL that was taken for a path, which makes one slash of two; `C:/` is none."""

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_FIRST_PART = re.compile(r"(?=(?:\D*\d){0,5}\D*$)[A-Za-z0-9][A-Za-z0-9_.-]{0,23}")
"""A first part of a path that is a word, as `live` or `h264Preview_01_main`: up to 24 letters and
no more than 5 digits; whatever holds `=`, `:` or `&`, as XMEye's addresses, is none."""

_HARMLESS = re.compile(
    r"(?:channel|subtype|stream|width|height|fps|resolution|res|quality|camera|rotate|compression)"
    r"=(?:\d{1,4}(?:x\d{1,4})?|hd|sd|main|sub|low|medium|high)"
)
"""Parameters that say which picture is wanted, with values that are no password."""

_PLAIN_TOO = "\n\t\xa0"
_SHORT = 4

MOST_NAMED = 20
"""Files are named on the screen up to here."""


def counted(number: int, unit: str, units: str = "") -> str:
    """A number with its unit, as "1 frame" and "2 frames". units: the plural where it is not the
    unit with an s."""
    return f"{number} {unit if number == 1 else units or unit + 's'}"


def shortened(lines: Sequence[str], rest: str) -> list[str]:
    """The first `MOST_NAMED` lines and, where there are more, `rest` with their number for `{}`."""
    more = len(lines) - MOST_NAMED
    return [*lines[:MOST_NAMED], *([rest.format(more)] if more > 0 else [])]


def without_secrets(url: str) -> str:
    """A URL as it may be shown: scheme, host, port and the first part of its path.

    Everything else becomes `***` but parameters that are known to be harmless, since a secret may
    stand anywhere: user and password, a webhook's token in the path, XMEye's `user=…_password=…`.
    Where a `@` leaves open what is host and what is password, the host is hidden too. A text that
    is no URL becomes `***` as a whole.
    """
    scheme, found, rest = url.partition("://")
    if not found or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return HIDDEN
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    after = rest[len(authority) :]
    _, at, host = authority.rpartition("@")
    if "@" in after or not _HOST.fullmatch(host):
        return f"{scheme}://{HIDDEN}"
    return f"{scheme}://{HIDDEN + at if at else ''}{host}{_shown_path(after)}"


def without_secrets_of(text: str, url: str = "") -> str:
    """A message, as of a library, in which no secret of `url` or of any other URL stands.

    What `without_secrets` hides of `url` is hidden wherever it stands, encoded or not; a resolver
    says `user:password@host` without its scheme.
    """
    if url:
        text = text.replace(url, without_secrets(url))
    text = _URL.sub(lambda found: without_secrets(found[0]), text)
    text = _AS_PATH.sub(lambda found: f"{found[1]}:/{HIDDEN}", text)
    for piece in sorted(set(_hidden_pieces(url)), key=len, reverse=True):
        if len(piece) >= _SHORT:
            text = text.replace(piece, HIDDEN)
        else:
            text = re.sub(rf"(?<!\w){re.escape(piece)}(?!\w)", HIDDEN, text)
    return text


def for_terminal(text: str) -> str:
    """A text as a terminal may get it: every control character, also of the C1 set, and everything
    that turns or hides letters, is spelt out, as `\\x1b`; new lines and tabs stay."""
    return "".join(
        letter if letter.isprintable() or letter in _PLAIN_TOO else _spelt_out(letter)
        for letter in text
    )


def _spelt_out(letter: str) -> str:
    """One character; a byte of a file's name that is no UTF-8 as such, as `\\xe9`."""
    raw = letter.encode("utf-8", "surrogateescape") if "\udc80" <= letter <= "\udcff" else b""
    return f"\\x{raw[0]:02x}" if raw else letter.encode("unicode_escape").decode("ascii")


def _shown_path(after: str) -> str:
    """Path, parameters and fragment of a URL."""
    path, mark, query = after.partition("?")
    slash, first, rest = path[:1], *_split(path[1:])
    shown = slash + (first if not first or _FIRST_PART.fullmatch(first) else HIDDEN)
    if slash not in ("", "/"):  # a fragment, or what is no path at all
        return slash + HIDDEN
    if rest not in ("", "/"):
        rest = f"/{HIDDEN}"
    return shown + rest + (mark + _shown_query(query) if mark else "")


def _split(path: str) -> tuple[str, str]:
    first, slash, rest = path.partition("/")
    return first, slash + rest


def _shown_query(query: str) -> str:
    parts = query.split("&")
    return "&".join(part if not part or _HARMLESS.fullmatch(part) else HIDDEN for part in parts)


def _hidden_pieces(url: str) -> Iterator[str]:
    """Pieces of a URL that are not shown, as they are and decoded."""
    _, found, rest = url.partition("://")
    if not found:
        return
    shown = without_secrets(url)
    authority, at, _ = rest.rpartition("@")
    secret = [authority] if at else []
    secret += [authority.partition(":")[2]] if ":" in authority else []
    after = re.split(r"[/?#\\]", rest, maxsplit=1)[1:]
    for text in (*secret, *after):
        for piece in (text, *re.split(r"[/?#&=:@;,\\]|_(?=[a-z]+=)", text)):
            for form in (piece, unquote(piece), unquote_plus(piece)):
                if form and form not in shown and form.strip(HIDDEN):
                    yield form
