"""`edge-recognize` from its options to its exit code, with a judge that needs no model."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner, Result
from faked import ADA, BEN, BLURRED, NOBODY, STRANGER, install, picture, write_script, write_video
from no_sockets import can_forbid

from edge.bundle import locate
from edge.cli import run as recognize_cli
from edge.cli.main import main
from edge.sources.files import file_source

ROOT = Path(__file__).resolve().parents[2]
FAKED = ROOT / "tests" / "factories" / "faked.py"


@pytest.fixture(autouse=True)
def fake_judge(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The recognizer of `faked`, put back afterwards."""
    monkeypatch.setattr(recognize_cli, "open_recognizer", recognize_cli.open_recognizer)
    monkeypatch.setattr(recognize_cli, "open_tracker", recognize_cli.open_tracker)
    monkeypatch.setattr(locate, "locate", locate.locate)
    if request.node.get_closest_marker("shared") is None:
        install()


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-recognize")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    who = [NOBODY] * 3 + [ADA] * 10 + [STRANGER] * 70
    return write_video(tmp_path / "in.mkv", who, fps=25)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "photos"
    (made / "deep").mkdir(parents=True)
    for name, who in (("a.png", ADA), ("b.png", STRANGER), ("deep/c.png", BEN)):
        cv2.imwrite(str(made / name), picture(who))
    (made / "bad.jpg").write_text("no picture")
    return made


def test_json_of_a_video(video: Path) -> None:
    done = call("--source", video, "--json")
    assert done.exit_code == 0, done.output
    found = lines(done.stdout)
    assert [line["frame"] for line in found] == list(range(83))
    assert {line["source"] for line in found} == {str(video)}
    assert [line["time_s"] for line in found[:3]] == pytest.approx([0, 0.04, 0.08], abs=0.002)
    decisions = [[face["decision"] for face in line["faces"]] for line in found]
    assert decisions == [[]] * 3 + [["match"]] * 10 + [["unknown"]] * 70
    assert {(line["schema"], line["frame_age_ms"], line["error"]) for line in found} == {
        (1, None, None)
    }
    assert done.stderr.splitlines() == [
        "a fake bundle",
        "83 frames, 80 faces, Ada in 10; 10.0 ms at the median, 10.0 ms at p95",
    ]


def test_text_of_a_video(video: Path) -> None:
    done = call("--source", video)
    assert done.stdout.splitlines() == [
        "  00:00.2  Ada arrived, score 0.91 (threshold 0.60)",
        "  00:00.6  somebody unknown arrived, score 0.20 (threshold 0.60)",
        "  00:02.5  Ada left, seen for 0.4 s",
        "83 frames, 80 faces, Ada in 10; 10.0 ms at the median, 10.0 ms at p95",
    ]


def test_quiet_says_results_alone(video: Path) -> None:
    done = call("--source", video, "--quiet")
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""


def test_each_picture_of_a_folder_stands_alone(folder: Path) -> None:
    done = call("--source", folder, "--json", "-q")
    assert done.exit_code == 0
    found = lines(done.stdout)
    assert [Path(line["source"]).name for line in found] == ["a.png", "b.png", "bad.jpg", "c.png"]
    assert [line["error"] is None for line in found] == [True, True, False, True]
    assert "bad.jpg is not a picture" in found[2]["error"]
    assert [[face["person"] for face in line["faces"]] for line in found] == [
        *(["Ada"], [None], [], ["Zoë B."])
    ]
    assert {line["time_s"] for line in found} == {0}


def test_text_of_a_folder(folder: Path) -> None:
    done = call("--source", folder)
    assert done.stdout.splitlines()[:2] == ["a.png  Ada (0.91)", "b.png  unknown"]
    summary = "4 pictures, 3 faces, 1 unreadable, Ada in 1, Zoë B. in 1"
    assert done.stdout.splitlines()[-1].startswith(summary)


def test_saving_a_video(video: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "saved.mkv"
    assert call("--source", video, "--save", target).exit_code == 0
    capture = cv2.VideoCapture(str(target))
    count = 0
    while capture.read()[0]:
        count += 1
    assert count == 83
    assert list(target.parent.iterdir()) == [target]


def test_saving_a_folder_and_a_picture(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("--source", folder, "--save", out).exit_code == 0
    saved = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert saved == {"a.png", "b.png", "deep/c.png"}
    assert call("--source", folder / "a.png", "--save", tmp_path / "one.jpg").exit_code == 0
    assert cv2.imread(str(tmp_path / "one.jpg")) is not None


def test_frames_end_it(video: Path) -> None:
    assert len(lines(call("--source", video, "--json", "--frames", 7).stdout)) == 7


def test_realtime_can_miss_frames(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mkv", [ADA] * 30, fps=60)
    install(0.05)
    done = call("--source", video, "--realtime", "--json", "--rotate", 0)
    found = lines(done.stdout)
    assert 2 < len(found) < 20
    assert all(line["frame_age_ms"] < 300 for line in found)
    assert "frames passed unseen" in done.stderr


def test_a_live_camera_is_young_and_its_loss_is_a_line(tmp_path: Path) -> None:
    script = write_script(tmp_path, [["frames", 4], ["vanish", 0.1], ["frames", 3], ["end"]])
    done = call("--camera", f"fake:{script}", "--json")
    assert done.exit_code == 0
    found = lines(done.stdout)
    errors = [line for line in found if line["error"]]
    assert len(errors) == 1
    assert "is gone" in errors[0]["error"]
    assert errors[0]["faces"] == []
    ages_ms = [line["frame_age_ms"] for line in found if not line["error"]]
    assert max(ages_ms) < 500
    assert "1 lost" in done.stderr
    assert "is back" in done.stderr


def test_events_are_kept_and_commands_run(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mkv", [BLURRED] * 2 + [ADA] * 4 + [BEN] * 4)
    words = ("--keep-events", 5, "--events-folder", tmp_path / "events")
    done = call("--source", video, *words, "--on-match", f"touch {tmp_path}/{{person}}")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "events").glob("event-*.jpg"))) == 2
    assert (tmp_path / "Ada").exists()
    assert (tmp_path / "Zoë B.").exists()


def without_space(*words: object, out: int | Any = subprocess.PIPE) -> tuple[int, str]:
    """The command where files cannot grow, as on a full disk: exit code and standard error."""

    def no_space() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))

    command = [sys.executable, str(FAKED), *(str(word) for word in words)]
    limit = no_space if out == subprocess.PIPE else None
    done = subprocess.run(
        command, stdout=out, stderr=subprocess.PIPE, text=True, preexec_fn=limit, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [("--json",), ("--json", "-q"), ()])
def test_a_full_disk_below_standard_output_is_said(video: Path, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        code, said = without_space("--source", video, *words, out=full)
    assert code == 1
    assert "No space left on device; free some space" in said
    assert "Traceback" not in said and "Exception ignored" not in said


def test_events_that_cannot_be_kept_are_said(video: Path, tmp_path: Path) -> None:
    words = ("--keep-events", 5, "--events-folder", tmp_path / "events", "--quiet")
    code, said = without_space("--source", video, *words)
    assert code == 0
    assert "--keep-events: " in said and "File too large" in said


def refused(done: Result, code: int, words: str) -> None:
    assert done.exit_code == code, done.output
    assert words in done.stderr
    problem = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(problem) == 1
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "nothing to look at"),
        (["--camera", "0", "--camera", "0"], 2, "0 is named twice"),
        (["--source", "a.mkv", "--source", "b.mkv", "--save", "c.avi"], 2, "takes one source"),
        (["--camera", "7"], 1, "no camera at /dev/video7"),
        (["--camera", "front"], 2, "names no camera"),
        (["--source", "missing.mp4"], 1, "there is no file or folder"),
        (["--source", "http://127.0.0.1:9/x"], 1, "no pictures from"),
        (["--source", "x", "--frames", "0"], 2, "'--frames'"),
        (["--camera", "0", "--size", "big"], 2, "no size such as 640x480"),
        (["--camera", "0", "--events-folder", "x"], 2, "add --keep-events"),
        (["--camera", "0", "--serve-token", "x"], 2, "add --serve"),
        (["--camera", "csi", "--pixel-format", "MJPG"], 2, "for USB cameras"),
        (["--json", "doctor"], 2, "--json stands before 'doctor'"),
        (["people.jpg"], 2, "No such command"),
    ],
)
def test_what_cannot_be(words: list[str], code: int, said: str) -> None:
    refused(call(*words), code, said)


def test_run_is_the_default_and_its_help_has_sections(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mkv", [ADA] * 5)
    named, meant = (call(*run, "--source", video, "--json", "-q") for run in (["run"], []))
    assert named.exit_code == meant.exit_code == 0
    assert len(named.stdout.splitlines()) == len(meant.stdout.splitlines()) == 5
    root, run = call("-h").stdout, call("run", "-h").stdout
    assert root.index("Commands:") < root.index("Options:")
    assert re.search(r"^  run +Recognize people", root, re.M)
    sections = re.findall(r"^(\w+):$", run, re.M)
    assert sections == ["Source", "Decisions", "Outputs", "Service", "Options", "Examples"]
    assert re.findall(r"^  (-\S+)", run.partition("\nOptions:")[2], re.M) == ["-h,"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--serve", "0.0.0.0:80", "has no token"),
        ("--serve", "nowhere", "is no address"),
        ("--mqtt", "broker", "names no broker"),
        ("--webhook", "x", "is no URL"),
        ("--on-match", "no-such-program", "there is no program"),
        ("--window", None, "--serve"),
        ("--save", "out.txt", "cannot hold a video"),
        ("--realtime", None, "plays videos"),
    ],
)
def test_outputs_that_cannot_be(
    video: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    value: str | None,
    said: str,
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    source = folder if option == "--realtime" else video
    before = sorted(video.parent.iterdir())
    refused(call("--source", source, option, *([value] if value else [])), 2, said)
    assert sorted(video.parent.iterdir()) == before, "nothing half-written stays"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("text.jpg", "not a picture"),
        ("text.mp4", "neither a video nor a picture"),
        ("empty", "no pictures"),
    ],
)
def test_sources_that_are_none(tmp_path: Path, name: str, said: str) -> None:
    if name == "empty":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("hello")
    target = tmp_path / "out.avi"
    refused(call("--source", tmp_path / name, "--save", target), 1, said)
    done = call("--source", tmp_path / name, "--json")
    assert done.exit_code == 1
    assert said in json.loads(done.stdout)["error"]["message"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from edge.cli.main import main\n"
        "assert 'doctor' in CliRunner().invoke(main, ['--help']).output\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert "edge.cli.main" in loaded, done.stderr
    assert not loaded & {"cv2", "numpy", "ai_edge_litert", "onnxruntime", "rich", "http.server"}


def start(*words: object, pipe_bytes: int = -1, **extra: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(FAKED), *(str(word) for word in words)]
    return subprocess.Popen(
        command,
        env={**os.environ, **extra},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pipesize=pipe_bytes,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_keeps_what_was_saved(tmp_path: Path, number: signal.Signals) -> None:
    script = write_script(tmp_path, [["frames", 1000]])
    target = tmp_path / "out" / "saved.avi"
    with start("--camera", f"fake:{script}", "--json", "--save", target) as process:
        assert process.stdout is not None
        for _ in range(10):
            process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert all(json.loads(line)["schema"] == 1 for line in out.splitlines())
    assert list(target.parent.iterdir()) == [target]
    capture = cv2.VideoCapture(str(target))
    assert capture.read()[0]


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mkv", [ADA] * 300)
    target = tmp_path / "saved.avi"
    with start("--source", video, "--json", "--save", target) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(120) == 0
        assert "error" not in process.stderr.read()
    assert target.exists()


def test_a_reader_that_does_not_read_does_not_slow_a_camera(tmp_path: Path) -> None:
    script = write_script(tmp_path, [["frames", 10**6]], fps=200)
    with start("--camera", f"fake:{script}", "--json", pipe_bytes=4096) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        time.sleep(2.0)  # nobody reads: the pipe holds some ten lines
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        assert "JSON lines missed" in process.stderr.read()


@pytest.mark.skipif(not can_forbid(), reason="needs Linux on x86-64 or arm64")
def test_by_default_no_socket_is_made_and_no_picture_written(tmp_path: Path) -> None:
    """The kernel kills the process at its first `socket()`, from whatever library."""
    video = write_video(tmp_path / "v.mkv", [ADA] * 20)
    home = tmp_path / "home"
    home.mkdir()
    places = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "TMPDIR": str(home)}
    with start("--source", video, FAKED_NO_SOCKETS="1", **places) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Ada arrived" in out
    assert list(home.rglob("*")) == []
    with start("--source", video, "--serve", "127.0.0.1:0", FAKED_NO_SOCKETS="1") as process:
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGSYS, "the trap works"


@pytest.fixture(scope="module")
def bundle(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that knows person a from a few frames of one clip, by a public embedding.

    Its head is a mean and its threshold halfway to one other person: enough to see the parts work
    together, and no measure of how well people are recognized.
    """
    import numpy as np

    from edge.bundle.writer import BundleWriter
    from edge.faces.canonical import ARCFACE, ARCFACE_WHOLE
    from edge.faces.detector import Detector
    from edge.files.model_file import sha256_of
    from edge.heads.head import Head, linear_layers
    from edge.models.embedder import Embedder
    from edge.models.spec import Network, NetworkInput

    data = (shared / "weights/MobileFaceNet.tflite").read_bytes()
    yunet = (shared / "weights/face_detection_yunet_2023mar.onnx").read_bytes()
    mean, std = (127.5, 127.5, 127.5), (128.0, 128.0, 128.0)
    expects = NetworkInput(ARCFACE, ARCFACE_WHOLE, 112, "rgb", "float32", mean, std, batch=2)
    network = Network("tflite-float32", sha256_of(data), expects, {"embedding": "embeddings"}, 192)
    detector, embedder = Detector(yunet), Embedder(network, data)

    def embeddings_of(clip: str) -> np.ndarray:
        crops = []
        with file_source(shared / "data/video" / clip) as source:
            for grab in list(source)[::12]:
                image = grab.image_bgr
                assert image is not None
                crops += [embedder.crop(image, face) for face in detector.detect(image)[:1]]
        found = embedder.embed(np.stack(crops)).embeddings
        assert found is not None
        return found

    own, other = embeddings_of("person-a-again.mkv"), embeddings_of("person-b-bird.mkv")
    weights = own.mean(axis=0)
    threshold = float(np.median(own @ weights) + np.median(other @ weights)) / 2
    head = Head("Person A", "linear", network.sha256, linear_layers(weights, 0.0), threshold)
    path = tmp_path_factory.mktemp("bundle") / "a.edge"
    BundleWriter("a", (network, data), detector=("yunet.onnx", yunet, 0.6), heads=(head,)).write(
        path
    )
    return path


@pytest.mark.shared
def test_a_real_person_is_recognized(shared: Path, bundle: Path, tmp_path: Path) -> None:
    videos = shared / "data/video"
    words = ("--bundle", bundle, "--json", "--frames", 20, "--threads", 1)
    known = call("--source", videos / "person-a-no.mkv", *words, "--save", tmp_path / "a.avi")
    assert known.exit_code == 0, known.output
    found = lines(known.stdout)
    assert len(found) == 20
    matched = [any(face["person"] == "Person A" for face in line["faces"]) for line in found]
    assert matched == [False] * 6 + [True] * 14, "settled after three looks in 0.2 s"
    assert {face["track"] for line in found for face in line["faces"]} == {1}
    spent = found[3]["latency_ms"]
    parts = [spent[name] for name in ("detect", "align", "embed", "decide", "track")]
    assert min(parts) > 0
    assert sum(parts) <= spent["total"] * 1.01
    assert (tmp_path / "a.avi").stat().st_size > 10_000
    other = call("--source", videos / "person-d-eat.mkv", *words)
    people = {face["person"] for line in lines(other.stdout) for face in line["faces"]}
    assert people == {None}


@pytest.mark.shared
def test_the_doctor_tries_the_bundle(bundle: Path) -> None:
    done = call("doctor", "--bundle", bundle, "--json")
    findings = {each["check"]: each for each in json.loads(done.stdout)["findings"]}
    assert "knows Person A" in findings["bundle"]["text"]
    assert findings["runtime"]["state"] == "ok"
    assert "ms for a face" in findings["runtime"]["text"]
    assert findings["face detector"]["state"] == "ok"
