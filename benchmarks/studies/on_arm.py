"""The plain install on ARM, for `make test-arm`: a drawn person's bundle on emulated Pis.

python -m benchmarks.studies.on_arm
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from edge.console.commands import command, say

DRAWN = 30
"""Seed of the drawn person, as in `benchmarks.demo`."""

PAIRS = (("pi4", "bookworm"), ("pi5", "trixie"))


@command("on-arm", examples="python -m benchmarks.studies.on_arm")
def main() -> None:
    """Enroll and pack a drawn person here, and rehearse the bundle as Pi 4 and as Pi 5."""
    import export
    import trainer
    from export.rehearse.emulator import open_emulator
    from export.rehearse.rehearsal import rehearse
    from trainer.drawn import DrawnPerson, Visit, write_photos, write_video

    person, stranger = DrawnPerson.draw(DRAWN), DrawnPerson.draw(901)
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_photos(folder / "photos", person, shots=12, seed=3)
        run = folder / "run"
        trainer.enrol_person(folder / "photos", name="ana", out=run, camera="several")
        export.pack(run, folder / "ana.edge")
        clip = folder / "clip.mkv"
        write_video(clip, [Visit((person,), 1.0), Visit((stranger,), 1.0)], seed=1)
        for model, release in PAIRS:
            pi = open_emulator(model, release)  # type: ignore[arg-type]
            done = rehearse(folder / "ana.edge", clip, pi, lambda text: say(text, err=True))
            say(done.text())
            failed += not done.passed
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
