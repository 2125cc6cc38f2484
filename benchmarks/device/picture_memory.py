"""What a picture of 900 megapixels costs each command that reads pictures, in peak memory.

    python -m benchmarks.device.picture_memory

Each command runs twice in a process of its own: on drawn photos alone, and with three pictures of
30,000 x 30,000 px among them, as PNG (whole), JPEG (its header) and PGM (a sparse file). What a
child of the command takes is not counted.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from edge.console.commands import command, emit_json, json_option, out_option, say
from edge.errors import GateFailed

SIDE_PX = 30_000
MOST_MIB = 100.0
"""More than this on top is a fault: a Raspberry Pi Zero 2 has 512 MB."""

_MARK = "peak-memory-mib"


@dataclass(frozen=True)
class Case:
    """A command. words: its words, `{photos}` for the folder, `{out}` for a new path."""

    module: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        tool = {"edge": "edge-recognize", "trainer": "edge-train", "export": "edge-export"}
        first = tool.get(self.module.partition(".")[0], "edge-bench")
        return " ".join([first, *(word for word in self.words[:1] if not word.startswith("-"))])


CASES = (
    Case("edge.cli.main", ("--source", "{photos}")),
    Case("edge.cli.main", ("enrol", "--name", "ben", "--photos", "{photos}")),
    Case("trainer.cli.main", ("person", "--photos", "{photos}", "--name", "eva", "--out", "{out}")),
    Case("trainer.cli.main", ("evaluate-person", "{run}", "--photos", "{later}")),
    Case("trainer.cli.main", ("audit", "{people}")),
    Case(
        "trainer.cli.main",
        ("cohort", "{people}", "--embedding", "shipped", "-o", "{out}.npz", "--allow-missing"),
    ),
    Case("export.cli.main", ("pack", "{run}", "-o", "{out}.edge", "--pictures", "{people}")),
    Case("benchmarks.cli", ("run", "--source", "{photos}", "--warmup", "1")),
)


@dataclass(frozen=True)
class Peak:
    """Of one command, in MiB. code: its exit code with the large pictures among the photos."""

    name: str
    without_mib: float
    with_mib: float
    code: int
    named: int

    @property
    def more_mib(self) -> float:
        return self.with_mib - self.without_mib


def write_large(folder: Path) -> tuple[Path, ...]:
    """Three pictures of `SIDE_PX` squared, without ever holding one."""
    png, jpeg, pgm = (folder / f"huge.{suffix}" for suffix in ("png", "jpg", "pgm"))
    packer = zlib.compressobj()
    row = bytes(1 + SIDE_PX)
    data = b"".join(packer.compress(row) for _ in range(SIDE_PX)) + packer.flush()
    head = struct.pack(">IIBBBBB", SIDE_PX, SIDE_PX, 8, 0, 0, 0, 0)
    with png.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, body in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b"")):
            check = struct.pack(">I", zlib.crc32(kind + body))
            file.write(struct.pack(">I", len(body)) + kind + body + check)
    small = next(folder.glob("photo-*.jpg")).read_bytes()
    found = re.search(rb"\xff[\xc0\xc2]\x00.\x08", small, re.DOTALL)
    if found is None:
        raise ValueError("a drawn photo without a frame header")
    size = struct.pack(">HH", SIDE_PX, SIDE_PX)
    jpeg.write_bytes(small[: found.end()] + size + small[found.end() + 4 :])
    with pgm.open("wb") as file:
        file.write(b"P5 %d %d 255\n" % (SIDE_PX, SIDE_PX))
        file.truncate(file.tell() + SIDE_PX * SIDE_PX)
    return png, jpeg, pgm


def peak(case: Case, places: dict[str, str]) -> tuple[float, int, str]:
    """The peak memory of one run, its exit code and what it printed."""
    words = [word.format(**places) for word in case.words]
    code = (
        f"import sys\nfrom {case.module} import main\n"
        "from benchmarks.device.device_facts import peak_memory_mib\n"
        "try:\n    main(sys.argv[1:])\n"
        f"finally:\n    print('{_MARK}', peak_memory_mib(), file=sys.stderr)\n"
    )
    environment = {**os.environ, "XDG_DATA_HOME": places["home"], "XDG_CACHE_HOME": places["home"]}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True
    )
    found = re.search(rf"{_MARK} ([\d.]+)", done.stderr)
    if found is None:
        raise GateFailed(f"{case.name} ended with {done.returncode}: {done.stderr[-500:]}")
    return float(found[1]), done.returncode, done.stdout + done.stderr


def measure(cases: tuple[Case, ...] = CASES) -> list[Peak]:
    """Each command without and with the large pictures."""
    from trainer import enrol_person
    from trainer.drawn import DrawnPerson, write_photos

    peaks = []
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        people = root / "people"
        for name, number in (("eva", 1), ("ida", 906)):
            write_photos(people / name, DrawnPerson.draw(number), shots=22, seed=0)
        write_photos(root / "later", DrawnPerson.draw(1), shots=14, seed=5)
        run = root / "run"
        enrol_person(people / "eva", name="eva", out=run, camera="several")
        for number, case in enumerate(cases):
            got = []
            for large in (False, True):
                folders = (people / "eva", root / "later") if large else ()
                huge = [path for folder in folders for path in write_large(folder)]
                places = {
                    "photos": str(people / "eva"), "people": str(people), "run": str(run),
                    "later": str(root / "later"),
                    "out": str(root / f"out-{number}-{large}"),
                    "home": str(root / f"home-{number}-{large}"),
                }  # fmt: skip
                got.append(peak(case, places))
                for path in huge:
                    path.unlink()
            named = sum(f"huge.{suffix}" in got[1][2] for suffix in ("png", "jpg", "pgm"))
            peaks.append(Peak(case.name, got[0][0], got[1][0], got[1][1], named))
            say(f"{case.name}: {peaks[-1].more_mib:+.1f} MiB", err=True)
    return peaks


@command("picture-memory", examples="python -m benchmarks.device.picture_memory")
@out_option(required=False)
@json_option()
def main(out: Path | None, as_json: bool) -> None:
    """Measure what a picture of 900 megapixels costs each command in peak memory."""
    peaks = measure()
    lines = [
        "| command | MiB without | MiB with | more | named of 3 | exit code |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{each.name}` | {each.without_mib:.0f} | {each.with_mib:.0f} | "
            f"{each.more_mib:+.1f} | {each.named} | {each.code} |"
            for each in peaks
        ),
    ]
    if out is not None:
        out.write_text("\n".join(lines) + "\n", "utf-8")
    if as_json:
        emit_json({"peaks": [vars(each) for each in peaks]})
    else:
        say("\n".join(lines))
    worst = max(peaks, key=lambda each: each.more_mib)
    if worst.more_mib >= MOST_MIB:
        raise GateFailed(f"{worst.name} takes {worst.more_mib:.0f} MiB more")


if __name__ == "__main__":
    main()
