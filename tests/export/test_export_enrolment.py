"""Persons who were enrolled on another base: enrolled again from pictures, or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_factory as factory
from click.testing import CliRunner

from edge.bundle.reader import Bundle
from edge.errors import InputError, RefusedError, UsageError
from edge.heads.calibration_record import calibration_from_json
from edge.heads.cohort import Cohort
from edge.heads.head import Head
from export.cli.main import main as edge_export
from export.gate.limits import Limits, Recipe
from export.heads.gather import Persons
from export.inputs.find_photos import Named, images, locate
from export.inputs.run_folder import RunFolder
from export.options import PackOptions
from export.packing.pack import PackResult, measures_on_pictures, pack
from export.verify.golden import verify
from trainer.cli.main import main as edge_train
from trainer.drawn import DrawnPerson
from trainer.drawn.dataset import write_photos

AGREEMENT = 0.98
"""Of decisions: thresholds lie among the strangers of these random networks."""


@pytest.fixture(autouse=True)
def _log_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factory.base_run(tmp_path_factory.mktemp("old") / "base", seed=2)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factory.shared_base(tmp_path_factory.getbasetemp().parent)


def enrolled(photos: Path, base: Path, out: Path, *more: str, name: str = "me") -> Path:
    """By one camera: to these random networks photos of several look like several people."""
    words = ["person", "--photos", photos, "--name", name, "--base", base, "--out", out, "-q"]
    words += ["--camera", "one"]
    done = CliRunner().invoke(edge_train, [*map(str, words), *more])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture(scope="module")
def me(old: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enrolled on the old base."""
    out = tmp_path_factory.mktemp("runs") / "me"
    return enrolled(photos, old, out, "--target-far", "0.3", "--seed", "5")


def packed(base: Path, out: Path, *heads: Path, **changes: Any) -> PackResult:
    limits = {"tflite-int8": Limits(agreement=AGREEMENT)}
    recipe = Recipe(limits=limits, timing_s=0.0)
    return pack(PackOptions(base, out, ("tflite-int8",), heads=heads, recipe=recipe, **changes))


def head_of(run: Path) -> Head:
    return Head.load(next((run / "heads").iterdir()))


def test_the_head_is_the_one_that_edge_train_makes_on_the_new_base(
    new: Path, me: Path, photos: Path, tmp_path: Path
) -> None:
    result = packed(new, tmp_path / "me.edge", me, pictures=(photos,))
    assert result.enrolled_again == ("me",)
    assert "me was enrolled again on this embedder" in result.lines()
    assert result.chosen.parity.agreement["me"] >= AGREEMENT
    straight = enrolled(photos, new, tmp_path / "run", "--target-far", "0.3", "--seed", "5")
    with Bundle.open(tmp_path / "me.edge") as bundle:
        (head,) = bundle.heads
        assert head.to_bytes() == head_of(straight).to_bytes()
        assert head.embedder_sha256 == bundle.embedder.sha256 == factory.network_of(new).sha256
        assert head.facts.target_far == 0.3
        cohort = bundle.cohort()
        assert cohort is not None
        assert cohort.to_bytes() == Cohort.load(new / "cohort.npz").to_bytes()
        assert bundle.manifest.facts["enrolled_again"] == ["me"]
    verify(tmp_path / "me.edge").require()


def test_the_thresholds_are_those_of_everybody_together(
    new: Path, me: Path, photos: Path, tmp_path: Path
) -> None:
    """One of them is on the new base already."""
    more = tmp_path / "photos"
    write_photos(more, DrawnPerson.draw(8), shots=12, seed=4)
    ben = enrolled(more, new, tmp_path / "ben", name="Ben")
    assert packed(new, tmp_path / "x.edge", me, ben, pictures=(photos,)).heads == ("me", "Ben")
    with Bundle.open(tmp_path / "x.edge") as bundle:
        assert [head.facts.heads for head in bundle.heads] == [2, 2]
        assert bundle.manifest.facts["far_of_bundle"]["trials"] > 0


def test_photos_are_known_by_what_is_in_them(
    new: Path, me: Path, photos: Path, tmp_path: Path
) -> None:
    """Renamed, in folders of their own, among others."""
    for number, path in enumerate(sorted(photos.iterdir())):
        (tmp_path / f"{number % 3}").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / f"{number % 3}" / f"IMG_{number}{path.suffix}")
    write_photos(tmp_path / "others", DrawnPerson.draw(9), shots=2, seed=1)
    packed(new, tmp_path / "one.edge", me, pictures=(photos,))
    packed(new, tmp_path / "two.edge", me, pictures=(tmp_path,))
    with Bundle.open(tmp_path / "one.edge") as one, Bundle.open(tmp_path / "two.edge") as two:
        assert one.heads[0].to_bytes() == two.heads[0].to_bytes()


def test_without_pictures_or_strangers_it_is_said_what_to_give(
    new: Path, me: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "x.edge"
    with pytest.raises(RefusedError, match=r"scores would mean nothing; give --pictures with the"):
        packed(new, out, me)
    bare = tmp_path / "bare"
    shutil.copytree(new, bare)
    cohort = (bare / "cohort.npz").rename(tmp_path / "strangers.npz")
    with pytest.raises(RefusedError, match=r"no strangers .* and give --cohort"):
        packed(bare, out, me, pictures=(photos,))
    assert packed(bare, out, me, pictures=(photos,), cohort=cohort).enrolled_again == ("me",)
    with pytest.raises(RefusedError, match=r"made by another embedder .* --embedding"):
        packed(bare, out, me, pictures=(photos,), cohort=me / "cohort.npz")
    some = tmp_path / "some"
    some.mkdir()
    for path in sorted(photos.iterdir())[4:]:
        shutil.copy(path, some)
    out.unlink()
    with pytest.raises(RefusedError, match=r"4 of 12 pictures are not in .* and 1 more; give"):
        packed(new, out, me, pictures=(some,))
    with pytest.raises(InputError, match="there is no file or folder"):
        packed(new, out, me, pictures=(tmp_path / "nowhere",))
    assert not out.exists()


def test_a_cohort_that_heads_were_not_enrolled_with_is_refused(
    old: Path, new: Path, me: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="threshold of me was set on another cohort"):
        packed(old, tmp_path / "x.edge", me, cohort=old / "cohort.npz")
    result = packed(new, tmp_path / "x.edge", cohort=new / "cohort.npz")
    assert result.heads == result.enrolled_again == ()
    with Bundle.open(tmp_path / "x.edge") as bundle:
        assert bundle.manifest.cohort


def changed_head(**facts: Any) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        head = head_of(run)
        calibration = calibration_from_json({**head.calibration.to_json(), **facts})
        replace(head, calibration=calibration).save(run / "heads" / "me.npz")

    return change


def changed_run(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def write(run: Path) -> None:
        info = json.loads((run / "run.json").read_text())
        change(info)
        (run / "run.json").write_text(json.dumps(info))

    return write


def dense(run: Path) -> None:
    replace(head_of(run), kind="dense-128").save(run / "heads" / "me.npz")


def nameless_video(info: dict[str, Any]) -> None:
    info["data"]["pictures"][0].update(file="picture 1", sha256="")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dense, "dense-128 is fitted by edge-train alone"),
        (changed_head(task={"question": "sunglasses"}), "something else than people"),
        (changed_head(not_me=1.5), "does not name the pictures of --not-me"),
        (changed_head(own_groups=[1, 2]), "scores of its own in 2 groups"),
        (changed_head(left_out=[0]), r"names \d+ pictures and \d+ scores"),
        (changed_head(seed="x"), "the run does not say how"),
        (changed_run(lambda info: info["data"].pop("pictures")), "the run does not say how"),
        (changed_run(lambda info: info.update(kind="base")), "is no person's"),
        (changed_run(nameless_video), r"does not name \(--privacy\)"),
    ],
)
def test_what_pictures_alone_do_not_give_is_refused(
    new: Path, me: Path, photos: Path, tmp_path: Path, change: Any, words: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(me, run)
    change(run)
    with pytest.raises(RefusedError, match=words) as caught:
        packed(new, tmp_path / "x.edge", run, pictures=(photos,))
    assert "edge-train person --base" in (caught.value.hint or "")
    assert not (tmp_path / "x.edge").exists()


def test_pictures_that_were_left_out_stay_out(
    new: Path, me: Path, photos: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(me, run)
    facts = head_of(me).facts
    fitted = [number for number in range(12) if number not in facts.left_out]
    left_out = [*facts.left_out, fitted[0]]
    later = {"own_groups": facts.own_groups[1:], "own_scores": facts.own_scores[1:]}
    changed_head(left_out=left_out, **later)(run)
    some = tmp_path / "some"
    some.mkdir()
    for number, path in enumerate(sorted(photos.iterdir())):
        if number not in left_out:
            shutil.copy(path, some)
    packed(new, tmp_path / "x.edge", run, pictures=(some,))
    with Bundle.open(tmp_path / "x.edge") as bundle:
        facts = bundle.heads[0].facts
        assert facts.pictures + len(facts.left_out) == 12 - len(left_out)


def test_frames_of_a_video_are_found_by_its_name_and_time(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "deep" / "clip.avi"
    path.parent.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 64))
    for number in range(10):
        writer.write(np.full((64, 64, 3), 20 * number, np.uint8))
    writer.release()
    named = [Named(0, "clip.avi at 0.20 s", ""), Named(1, "clip.avi at 0.70 s", "")]
    found = {one.number: image for one, image in images(locate(named, [tmp_path]))}
    assert abs(float(found[0].mean()) - 40) < 4
    assert abs(float(found[1].mean()) - 140) < 4
    late = [Named(0, "clip.avi at 9.00 s", "")]
    with pytest.raises(RefusedError, match=r"no frame at 9\.00 s"):
        list(images(locate(late, [tmp_path])))
    shutil.copy(path, tmp_path / "clip.avi")
    with pytest.raises(RefusedError, match="bear the name of one video"):
        locate(named, [tmp_path])


def test_the_command_says_whom_it_enrolled_again(
    new: Path, me: Path, photos: Path, tmp_path: Path
) -> None:
    words = ["pack", new, "--head", me, "-o", tmp_path / "x.edge", "--format", "tflite-int8"]
    words += ["--min-agreement", AGREEMENT]
    refused = CliRunner().invoke(edge_export, [*map(str, words), "-q"])
    assert refused.exit_code == 1
    done = CliRunner().invoke(edge_export, [*map(str, words), "--pictures", str(photos), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["enrolled_again"] == ["me"]
    assert f"enrolling me again on {new.name}" in done.stderr


def test_pictures_of_a_person_measure_formats_only_where_these_are_asked_for(
    old: Path, me: Path, tmp_path: Path
) -> None:
    """A few photos of one person are no measure, and a run with a float model needs none."""
    bare, again = tmp_path / "bare", Persons(enrolled_again=("me",))
    shutil.copytree(me, bare)
    (bare / "model.keras").unlink(missing_ok=True)

    def measures(run: Path, persons: Persons, *formats: str) -> bool:
        options = PackOptions(run, tmp_path / "x.edge", formats, pictures=(tmp_path,))
        return measures_on_pictures(RunFolder.open(run), options, persons)

    assert measures(bare, Persons(), "auto")
    assert not measures(bare, again, "auto")
    assert not measures(bare, again, "tflite-int8")
    assert measures(bare, again, "all")
    assert not measures(old, again, "all")
