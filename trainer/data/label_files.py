"""CelebA's list files as they really come: text with runs of spaces, Kaggle's CSV, or what
a spreadsheet makes of either: another delimiter, quotes, a byte order mark."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.errors import DataError
from trainer.data.table import UNKNOWN, UNLABELLED

_DELIMITERS = (",", ";", "\t", "|", " ")
_SEPARATOR = re.compile(r"\s*sep=(?P<delimiter>[,;|\t])\r?\n", re.IGNORECASE)
_WHOLE = re.compile(r"([+-]?\d{1,19})(?:[.,]0+)?")
"""A whole number; a spreadsheet or pandas writes `7222.0` where a cell of the column was empty."""

_SNIFFED = 20
"""Lines at the beginning that tell the delimiter."""

_RESERVED = {"identity": "identity", "identity_id": "identity", "partition": "partition"}
"""Columns of a cleaned table that are no attributes."""


@dataclass(frozen=True)
class LabelFile:
    """An attribute list. names: picture names as written. labels: int8[N, A], 1, 0 or -1 where a
    cell is empty. identity: int64[N]; partition: int8[N]; -1 where the file does not say.
    declared: the count in its first line, None where there is none.
    """

    names: tuple[str, ...]
    attributes: tuple[str, ...]
    labels: np.ndarray
    identity: np.ndarray
    partition: np.ndarray
    declared: int | None


def read_labels(path: Path) -> LabelFile:
    """Read list_attr_celeba as .txt or .csv.

    Values are -1/1 or 0/1, the same throughout the file. Raises `DataError` with the line number
    for anything else, for a picture listed twice and for a row of another length.
    """
    declared, header, rows = _rows(path)
    columns = [_RESERVED.get(name.lower()) for name in header]
    keep = [i for i, column in enumerate(columns) if column is None]
    _no_repeats(path, [header[i] for i in keep])
    raw = np.empty((len(rows), len(keep)), dtype=np.int8)
    numbers = {name: np.full(len(rows), UNKNOWN, np.int64) for name in ("identity", "partition")}
    negative = _Negative(path)
    for row, (line, cells) in enumerate(rows):
        if len(cells) != len(header) + 1:
            raise DataError(
                f"{path}, line {line}: {len(cells) - 1} values for {len(header)} columns",
                hint="the file was cut or edited; fetch it again",
            )
        raw[row] = negative.labels([cells[i + 1] for i in keep], line)
        for i, column in enumerate(columns):
            if column is not None and cells[i + 1]:
                numbers[column][row] = _integer(path, line, cells[i + 1])
    names = _names(path, rows)
    return LabelFile(
        names=names,
        attributes=tuple(header[i] for i in keep),
        labels=raw,
        identity=numbers["identity"],
        partition=numbers["partition"].astype(np.int8),
        declared=declared,
    )


def spreadsheet_rows(text: str) -> list[tuple[int, list[str]]]:
    """Line numbers from 1 and cells, without spaces around them, of the lines that are not blank.

    The delimiter is whichever of comma, semicolon, tab, bar and blank makes the first lines as wide
    as each other; a line `sep=;`, as Excel writes it, says so itself.
    """
    named = _SEPARATOR.match(text)
    if named:
        text = text[named.end() :]
    delimiter = named["delimiter"] if named else _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    before = 1 if named else 0
    rows = [(before + reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    rows = [(line, cells) for line, cells in rows if any(cells)]
    widest = max((_filled(cells) for _, cells in rows), default=0)
    wide = max(widest, 1)
    return [(line, cells[:wide]) for line, cells in rows]


def _filled(cells: list[str]) -> int:
    """How many cells there are up to the last one that is not empty."""
    if cells[-1:] > [""]:
        return len(cells)
    return max((n for n, cell in enumerate(cells, start=1) if cell), default=0)


def read_text(path: Path) -> str:
    """A text file in UTF-8 or UTF-16, with or without a byte order mark. Raises `DataError`."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise DataError(f"cannot read {path}: {problem.strerror}") from None
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    narrow = "utf-16-le" if data[1:2] == b"\0" else "utf-8-sig"  # names of pictures are ASCII
    try:
        return data.decode("utf-16" if wide else narrow)
    except UnicodeDecodeError:
        raise DataError(
            f"{path} is no text in UTF-8", hint="save it again as CSV in UTF-8, or fetch it again"
        ) from None


def _delimiter(text: str) -> str:
    first = [line for line in text.splitlines()[:_SNIFFED] if line.strip()]

    def widths(delimiter: str) -> list[int]:
        return [len(cells) for cells in csv.reader(first, delimiter=delimiter)]

    def fit(delimiter: str) -> tuple[int, int]:
        """How many of the lines are as wide as most, and how wide."""
        found = widths(delimiter)
        usual = max(set(found), key=lambda width: (found.count(width), width)) if found else 1
        return (found.count(usual) if usual > 1 else 0, usual)

    return max(_DELIMITERS, key=fit)


def read_numbers(path: Path) -> dict[str, int]:
    """Read identity_CelebA or list_eval_partition, .txt or .csv: picture name to number.

    Raises `DataError` with the line number for a line of another form.
    """
    result: dict[str, int] = {}
    lines = _lines(path)
    if lines and len(lines[0][1]) == 1 and _is_integer(lines[0][1][0]):
        lines = lines[1:]  # a count
    if lines and len(lines[0][1]) == 2 and not _is_integer(lines[0][1][1]):
        lines = lines[1:]  # a header
    for line, cells in lines:
        if len(cells) != 2:
            raise DataError(f"{path}, line {line}: expected a picture name and a number")
        result[cells[0]] = _integer(path, line, cells[1])
    return result


_WORDS = {"TRUE": "1", "FALSE": "0", "WAHR": "1", "FALSCH": "0", "VERDADERO": "1", "FALSO": "0"}
"""What spreadsheets write for 1 and 0 in English, German and Spanish."""


class _Negative:
    """Turns label cells to 0/1 and holds a file to one way of writing 'absent'."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.absent = ""
        self._known = {"1": 1}

    def labels(self, cells: list[str], line: int) -> list[int]:
        """One row; the usual one, of values seen before, without looking at each closely."""
        try:
            return [self._known[cell] for cell in cells]
        except KeyError:
            return [self.label(cell, line) for cell in cells]

    def label(self, cell: str, line: int) -> int:
        value = _WORDS.get(cell.upper(), _WHOLE.sub(r"\1", cell))
        if value in ("1", "+1"):
            self._known[cell] = 1
            return 1
        if value == "":
            return UNLABELLED
        if value not in ("0", "-1"):
            raise DataError(
                f"{self.path}, line {line}: '{cell}' is no label",
                hint="labels are -1 and 1, or 0 and 1",
            )
        if self.absent and value != self.absent:
            raise DataError(
                f"{self.path}, line {line}: {value} in a file that used {self.absent} before",
                hint="labels are -1 and 1, or 0 and 1, the same throughout the file",
            )
        self.absent = value
        self._known[cell] = 0
        return 0


def _rows(path: Path) -> tuple[int | None, list[str], list[tuple[int, list[str]]]]:
    """The declared count, the header without its first cell, and the rows with line numbers."""
    lines = _lines(path)
    declared = None
    if lines and not any(lines[0][1][1:]) and _is_integer(lines[0][1][0]):
        declared = int(lines[0][1][0])
        lines = lines[1:]
    if len(lines) < 2:
        raise DataError(f"{path} holds no rows", hint="fetch the file again")
    header = lines[0][1]
    if path.suffix.lower() == ".csv" or len(lines[1][1]) == len(header):
        header = header[1:]  # image_id
    if not header or any(_is_number(name) for name in header):
        raise DataError(
            f"{path}, line {lines[0][0]}: no attribute names",
            hint="the header of list_attr_celeba is missing; fetch the file again",
        )
    return declared, header, lines[1:]


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers from 1 and cells of the lines that are not blank."""
    text = read_text(path)
    if path.suffix.lower() == ".csv" or any(sign in text for sign in ("\t", ";", '"')):
        return spreadsheet_rows(text)
    numbered = enumerate(text.splitlines(), start=1)
    return [(line, content.split()) for line, content in numbered if content.strip()]


def _names(path: Path, rows: list[tuple[int, list[str]]]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    for line, cells in rows:
        first = seen.setdefault(cells[0], line)
        if first != line:
            raise DataError(f"{path}, line {line}: {cells[0]} was listed in line {first} already")
    return tuple(seen)


def _no_repeats(path: Path, names: list[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path} has two columns called '{twice}'")


def _integer(path: Path, line: int, cell: str) -> int:
    if not _is_integer(cell):
        raise DataError(f"{path}, line {line}: '{cell}' is no number")
    return int(_WHOLE.sub(r"\1", cell))


def _is_integer(cell: str) -> bool:
    return _WHOLE.fullmatch(cell) is not None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
