"""Benchmarks: what is measured, what is kept, and what is said about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from benchmarks.cli import main
from benchmarks.device.compare import compare_reports, compare_rounds
from benchmarks.device.device_facts import device_facts
from benchmarks.device.formats import fastest, time_formats
from benchmarks.device.pictures import ClipPictures, GoldenPictures
from benchmarks.device.plain_loop import PlainLoop
from benchmarks.device.report import BenchReport
from benchmarks.device.spread import Spread
from benchmarks.device.stages import Contender, Round, alternate, spreads
from benchmarks.device.sustained import sustain
from benchmarks.device.threads import ThreadTime, best_threads
from edge.bundle.choice import choice_path, read_choice
from edge.bundle.golden import Golden
from edge.bundle.locate import locate
from edge.bundle.reader import Bundle
from edge.bundle.writer import BundleWriter
from edge.errors import InputError
from edge.faces.canonical import CELEBA, WIDE
from edge.files.image import write_picture
from edge.files.model_file import sha256_of
from edge.heads.head import Head, linear_layers
from edge.models.spec import Network, NetworkInput
from edge.recognition.recognizer import Recognizer
from edge.recognition.result import Latency
from edge.service.watch import open_recognizer

ROOT = Path(__file__).resolve().parents[2]
SIZE_PX, EMBEDDING = 32, 8


def onnx_model(layers: int) -> bytes:
    """A network that runs everywhere: the mean colour, through some layers, as an embedding."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    rng = np.random.default_rng(layers)
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["m"]),
             helper.make_node("Flatten", ["m"], ["h0"])]  # fmt: skip
    weights = []
    for number in range(layers):
        shape = (3 if number == 0 else 256, EMBEDDING if number == layers - 1 else 256)
        matrix = (rng.normal(size=shape) / shape[0] ** 0.5).astype(np.float32)
        weights.append(onnx.numpy_helper.from_array(matrix, f"w{number}"))
        out = "e" if number == layers - 1 else f"h{number + 1}"
        nodes.append(helper.make_node("MatMul", [f"h{number}", f"w{number}"], [out]))
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", floats, [1, 3, SIZE_PX, SIZE_PX])],
        [helper.make_tensor_value_info("e", floats, [1, EMBEDDING])],
        weights,
    )
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def network_of(data: bytes, format: str = "onnx-float32") -> tuple[Network, bytes]:
    expects = NetworkInput(CELEBA, WIDE, SIZE_PX, dtype="float32", layout="nchw")
    return Network(format, sha256_of(data), expects, {"embedding": "e"}, EMBEDDING), data


def golden_of(count: int) -> bytes:
    rng = np.random.default_rng(0)
    return Golden(
        crops=rng.integers(0, 256, (count, SIZE_PX, SIZE_PX, 3), np.uint8),
        embeddings=np.zeros((count, EMBEDDING), np.float32),
        attributes=np.zeros((count, 0), np.float32),
        scores=np.zeros((count, 0), np.float32),
        accepted=np.zeros((count, 0), bool),
    ).to_bytes()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with golden crops and three alternatives, one of which no runtime takes."""
    path = tmp_path_factory.mktemp("bundle") / "anna.edge"
    slow, quick = onnx_model(20), onnx_model(1)
    alternatives = (network_of(quick, "onnx-int8"), network_of(b"no model", "tflite-int8"))
    network = network_of(slow)
    weights = np.linspace(-1, 1, EMBEDDING)
    head = Head("anna", "linear", network[0].sha256, linear_layers(weights, 0.1), threshold=0.5)
    writer = BundleWriter("anna", network, alternatives=alternatives, heads=(head,))
    replace(writer, golden=golden_of(3)).write(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures without faces, and a file that is none."""
    made = tmp_path / "pictures"
    made.mkdir()
    for number in range(3):
        write_picture(made / f"{number}.png", np.full((48, 64, 3), 40 * number, np.uint8))
    (made / "broken.jpg").write_bytes(b"no picture")
    return made


def bench(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="edge-bench")


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output + result.stderr
    return result.stdout


def printed(report: dict[str, Any]) -> str:
    """A report's tables as text."""
    console = Console(width=120, file=StringIO(), markup=False)
    for table in BenchReport.from_json(report).tables():
        console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


QUICK = ("--frames", 3, "--rounds", 2, "--warmup", 1, "--threads", 1, "--quiet")


# Whole commands


def test_run_measures_every_stage(bundle: Path, tmp_path: Path) -> None:
    report = json.loads(done(bench("run", bundle, *QUICK, "--json", "--out", tmp_path / "r.json")))
    assert report["settings"] == {"threads": 1, "rounds": 2, "warmup": 1}
    assert report["pictures"]["count"] == 3
    assert report["pictures"]["faces_per_picture"] == 1
    stages = report["stages_ms"]
    assert set(stages) == {"detect", "align", "embed", "decide", "total"}
    for stage in stages.values():
        assert stage["count"] == 6
        assert 0 < stage["minimum"] <= stage["p50"] <= stage["p95"] <= stage["maximum"]
    parts_ms = sum(stages[name]["p50"] for name in ("detect", "align", "embed", "decide"))
    assert parts_ms == pytest.approx(stages["total"]["p50"], rel=0.5)
    assert len(report["load_ms"]["create"]) == len(report["load_ms"]["open"]) == 2
    assert report["bundle"]["runtime"].startswith("onnxruntime")
    assert 20 < report["peak_memory_mib"] < 4000
    assert report["device"]["cores"] >= 1
    assert "numpy" in report["device"]["versions"]
    loaded = BenchReport.load(tmp_path / "r.json")
    assert loaded.to_json() == report
    loaded.save(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == report


def test_run_prints_a_table(bundle: Path, tmp_path: Path) -> None:
    text = done(bench("run", bundle, *QUICK, "--out", tmp_path / "r.json"))
    for word in ("embed", "p95", "frames per second", "peak memory", "onnxruntime", "load: create"):
        assert word in text
    assert text.endswith(f"saved to {tmp_path / 'r.json'}\n")


def test_run_on_pictures_without_faces(bundle: Path, folder: Path) -> None:
    words = ("run", bundle, "--source", folder, *QUICK, "--json")
    report = json.loads(done(bench(*words)))
    assert set(report["stages_ms"]) == {"detect", "total"}
    assert report["pictures"]["count"] == 3, "the broken one is left out"
    assert "no face was judged, so only the detector was timed" in report["notes"]


def test_pick_names_the_fastest(bundle: Path) -> None:
    report = json.loads(done(bench("run", bundle, *QUICK, "--pick", "--json")))
    formats = report["formats"]
    assert [entry["format"] for entry in formats] == ["onnx-int8", "onnx-float32", "tflite-int8"]
    assert [entry["deployed"] for entry in formats] == [False, True, False]
    assert formats[0]["milliseconds"]["p50"] < formats[1]["milliseconds"]["p50"]
    assert formats[2]["milliseconds"] is None
    assert "no installed runtime can run" in formats[2]["problem"]
    assert any(note.startswith("fastest here: onnx-int8, ") for note in report["notes"])
    assert "onnx-float32 (deployed)" in printed(report)


def test_plain_loop_is_measured_beside(bundle: Path, shared: Path) -> None:
    clip = shared / "data" / "video" / "person-b-milk.mkv"
    words = ("run", bundle, "--source", clip, *QUICK, "--plain", "--json")
    report = json.loads(done(bench(*words)))
    assert set(report["plain"]) == {"detect", "align", "embed", "decide", "total"}
    assert 0.2 < report["plain"]["total"]["p50"] < 5
    assert report["pictures"]["with_face"] == 1
    assert "plain loop / ours" in printed(report)


def test_plain_loop_does_the_same_work(bundle: Path, shared: Path) -> None:
    image = ClipPictures(shared / "data" / "video" / "person-b-milk.mkv", 1).first()
    with Bundle.open(bundle) as opened:
        plain, ours = PlainLoop(opened), Recognizer.open(opened)
    count, _ = plain.judge(image)
    results = ours.recognize(image).faces
    assert count == len(results) == len(plain.scores) > 0
    for scores, result in zip(plain.scores, results, strict=True):
        assert scores == [pytest.approx(result.decision.score, abs=1e-5)]


def test_plain_loop_needs_pictures(bundle: Path) -> None:
    result = bench("run", bundle, "--plain")
    assert result.exit_code == 2
    assert "give --source CLIP" in result.stderr


def test_compare_two_bundles(bundle: Path, tmp_path: Path) -> None:
    quick = tmp_path / "quick.edge"
    BundleWriter("quick", network_of(onnx_model(1)), golden=golden_of(2)).write(quick)
    words = ("compare", quick, bundle, *QUICK)
    compared = json.loads(done(bench(*words, "--json", "--out", tmp_path / "c.json")))
    assert (compared["a"], compared["b"]) == ("quick.edge", "anna.edge")
    assert compared["alternated"] is True
    assert compared["rounds"] == 2
    assert compared["ratios"]["embed"]["p50"] < 1
    assert set(compared["ratios"]["embed"]) >= {"minimum", "p50", "maximum"}
    assert json.loads((tmp_path / "c.json").read_text())["ratios"] == compared["ratios"]


def test_compare_saved_results(tmp_path: Path) -> None:
    report_of(4.0).save(tmp_path / "a.json")
    report_of(8.0, threads=2).save(tmp_path / "b.json")
    compared = json.loads(
        done(bench("compare", tmp_path / "a.json", tmp_path / "b.json", "--json"))
    )
    assert compared["ratios"]["total"]["p50"] == pytest.approx(0.5, rel=0.05)
    assert compared["verdict"] == "a.json is 2.00 times as fast as b.json"
    assert "with 1 and 2 threads" in compared["notes"]
    assert compared["alternated"] is False
    text = done(bench("compare", tmp_path / "a.json", tmp_path / "b.json"))
    assert "ratio (min / median / max)" in text
    assert "as fast as b.json (from saved results, 3 rounds)\n" in text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1, "kind": "edge-bench run"}'])
def test_compare_refuses_other_files(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    result = bench("compare", tmp_path / "a.json", tmp_path / "absent.json")
    assert result.exit_code == 1
    assert "is no result of 'edge-bench run'" in result.stderr
    assert result.stderr.count("\n") == 1


def test_compare_refuses_a_mixture(bundle: Path, tmp_path: Path) -> None:
    result = bench("compare", bundle, tmp_path / "a.json")
    assert result.exit_code == 2
    assert "cannot be compared" in result.stderr


def test_bad_inputs_in_one_line(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "no.edge").write_bytes(b"no bundle")
    for words in (
        ("run", tmp_path / "absent.edge"),
        ("run", tmp_path / "no.edge"),
        ("run", bundle, "--source", tmp_path / "absent.mkv"),
    ):
        result = bench(*words)
        assert result.exit_code == 1, result.output
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1


def test_bundle_without_golden_crops(tmp_path: Path) -> None:
    path = tmp_path / "bare.edge"
    BundleWriter("bare", network_of(onnx_model(1))).write(path)
    result = bench("run", path)
    assert result.exit_code == 1
    assert "no golden crops to measure on; give --source CLIP" in result.stderr


# Parts


def latency(total_ms: float, face: bool = True) -> Latency:
    embed_ms = total_ms / 4 if face else 0.0
    return Latency(total_ms / 2, total_ms / 8 if face else 0.0, embed_ms, embed_ms / 2, total_ms)


def round_of(*totals_ms: float, faces: tuple[int, ...] = ()) -> Round:
    counts = faces or (1,) * len(totals_ms)
    return Round(tuple(latency(t, n > 0) for t, n in zip(totals_ms, counts, strict=True)), counts)


def report_of(total_ms: float, *, threads: int = 1) -> BenchReport:
    rounds = [round_of(total_ms, total_ms * k) for k in (0.99, 1.0, 1.01)]
    fps = Spread.of(one.frames_per_second for one in rounds)
    assert fps is not None
    return BenchReport(
        bundle={"name": "anna", "embedder_format": "tflite-int8", "runtime": "ai-edge-litert"},
        device=device_facts().to_json(),
        pictures={"name": "clip", "count": 2, "faces_per_picture": 1.0},
        settings={"threads": threads, "rounds": 3, "warmup": 1},
        load_ms={"open": [1.0]},
        stages_ms=spreads(rounds),
        rounds=[one.to_json() for one in rounds],
        frames_per_second=fps,
        peak_memory_mib=40.0,
    )


def test_spread() -> None:
    spread = Spread.of(range(101))
    assert spread == Spread(101, 0.0, 50.0, 95.0, 100.0)
    assert Spread.of([]) is None
    assert Spread.from_json(json.loads(json.dumps(spread.to_json()))) == spread
    assert Spread(1, 1.0, 2.0, 3.0, 4.0).text(1) == "1.0 / 2.0 / 4.0"


def test_pictures_without_a_face_do_not_dilute_stages_per_face() -> None:
    one = round_of(8.0, 80.0, 8.0, faces=(1, 0, 2))
    assert one.median_ms("embed") == 2.0
    assert one.median_ms("total") == 8.0
    assert one.frames_per_second == pytest.approx(3000 / 96)
    assert round_of(8.0, faces=(0,)).median_ms("align") is None
    assert spreads([one])["embed"].count == 2
    assert "embed" not in spreads([round_of(8.0, faces=(0,))])


class Numbers:
    """Pictures that are numbers."""

    name, kind, face = "numbers", "clip", None

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Any:
        return iter([np.array(n) for n in range(self.count)])


def test_contenders_take_turns_and_warm_up_uncounted() -> None:
    seen: list[tuple[str, int]] = []

    def contender(name: str) -> Contender:
        def judge(image: np.ndarray) -> tuple[int, Latency]:
            seen.append((name, int(image)))
            return 1, latency(1.0)

        return Contender(name, judge)

    pictures: Any = Numbers(2)
    rounds = alternate([contender("a"), contender("b")], pictures, rounds=2, warmup=1)
    assert seen[:2] == [("a", 0), ("b", 0)]
    assert [name for name, _ in seen[2:]] == ["a", "a", "b", "b", "b", "b", "a", "a"]
    assert [number for _, number in seen[2:]] == [0, 1] * 4
    assert [[len(one.latencies) for one in own] for own in rounds] == [[2, 2], [2, 2]]
    with pytest.raises(InputError, match="holds no picture"):
        alternate([contender("a")], Numbers(0), rounds=1, warmup=1)  # type: ignore[arg-type]


def test_alternating_cancels_what_slows_both() -> None:
    """The machine becomes ten times as slow from round to round; the ratio stays what it is."""
    slow = [round_of(2.0 * 10**n, 2.0 * 10**n) for n in range(5)]
    quick = [round_of(1.0 * 10**n, 1.0 * 10**n) for n in range(5)]
    compared = compare_rounds("a", "b", slow, quick)
    assert compared.ratios["total"] == Spread(5, 2.0, 2.0, 2.0, 2.0)
    assert compared.verdict == "b is 2.00 times as fast as a"


@pytest.mark.parametrize(
    "factors", [(0.9, 1.3, 1.4), (1.0, 1.01, 1.015), (0.37, 0.68, 0.98), (0.5, 0.5)]
)
def test_no_verdict_without_a_difference_that_repeats(factors: tuple[float, ...]) -> None:
    a = [round_of(factor) for factor in factors]
    compared = compare_rounds("a", "b", a, [round_of(1.0)] * len(factors))
    assert compared.verdict.startswith("no difference that repeats")


def test_reports_of_different_times_are_compared_all_with_all() -> None:
    compared = compare_reports(report_of(4.0), report_of(4.0), "a", "b")
    assert compared.ratios["total"].count == 9
    assert compared.ratios["total"].minimum < 1 < compared.ratios["total"].maximum
    assert compared.notes == ("measured at different times: a ratio near 1 says little",)


def test_the_smaller_network_is_the_fastest(bundle: Path) -> None:
    with Bundle.open(bundle) as opened:
        times = time_formats(opened, threads=1, rounds=2, runs=3)
        best = fastest(times)
        assert best is not None
        assert best.format == "onnx-int8"
        assert fastest(times[2:]) is None


def test_golden_scenes(bundle: Path, tmp_path: Path) -> None:
    with Bundle.open(bundle) as opened:
        pictures = GoldenPictures(opened, 5)
        images = list(pictures)
        face = pictures.face
        crops = opened.golden.crops if opened.golden else np.zeros(0)
    assert [image.shape for image in images] == [(480, 640, 3)] * 5
    assert np.array_equal(images[0], images[3]), "they are gone through again"
    assert face is not None
    from edge.faces.alignment import align

    crop = align(images[1], face, CELEBA, WIDE, SIZE_PX)
    difference = np.abs(crop.astype(int) - crops[1].astype(int)).mean()
    assert difference < 0.6 * np.abs(crop.astype(int) - crops[0].astype(int)).mean()


def test_clips_are_decoded_anew(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = ClipPictures(folder, 2)
    assert [int(image.mean()) for image in pictures] == [0, 40]
    assert len(list(pictures)) == 2
    (folder / "0.png").write_bytes(b"broken now")
    assert int(pictures.first().mean()) == 40
    assert int(pictures.first().mean()) == 40
    assert len(caplog.records) == 1, "named once"
    assert "0.png" in caplog.text


# The device


def fake_pi(root: Path) -> None:
    files = {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd08\n",
        "proc/meminfo": "MemTotal:        3885396 kB\n",
        "etc/os-release": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "600000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "1800000\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def fake_firmware(folder: Path, throttled: str) -> None:
    program = folder / "vcgencmd"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = measure_temp ] && echo "temp=61.3\'C" || echo throttled={throttled}\n'
    )
    program.chmod(0o755)


def test_facts_of_a_pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pi(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    plain = device_facts(tmp_path)
    assert plain.board == "Raspberry Pi 4 Model B Rev 1.4"
    assert plain.processor == "Cortex-A72"
    assert (plain.clock_mhz, plain.max_clock_mhz, plain.governor) == (600, 1800, "powersave")
    assert plain.temperature_c == pytest.approx(48.312)
    assert plain.memory_mib == 3794
    assert plain.system == "Debian GNU/Linux 12 (bookworm)"
    assert plain.throttled_now is None
    assert any("powersave" in warning for warning in plain.warnings)
    fake_firmware(tmp_path, "0x50005")
    throttled = device_facts(tmp_path)
    assert throttled.temperature_c == 61.3
    assert throttled.throttled_now == ("under-voltage", "throttled")
    assert any("held back: under-voltage, throttled" in text for text in throttled.warnings)
    fake_firmware(tmp_path, "0x20000")
    assert device_facts(tmp_path).throttled_before == ("clock capped",)
    fake_firmware(tmp_path, "0x0")
    assert device_facts(tmp_path).throttled_now == ()


def test_facts_of_a_machine_that_says_nothing(tmp_path: Path) -> None:
    facts = device_facts(tmp_path)
    assert facts.board is facts.processor is facts.governor is facts.memory_mib is None
    assert facts.cores >= 1
    json.dumps(facts.to_json())


def test_facts_of_this_machine() -> None:
    facts = device_facts()
    assert facts.versions["edge-recognize"]
    assert facts.name


def test_peak_memory_counts_what_was_held() -> None:
    code = (
        "import numpy as np; from benchmarks.device.device_facts import peak_memory_mib as peak\n"
        "before = peak(); np.ones(64 * 2**20, np.uint8); print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert float(done.stdout) == pytest.approx(64, abs=8)


# Threads, a sustained rate, and what is noted of them


def thread_time(threads: int, *medians_ms: float) -> ThreadTime:
    spread = Spread.of(medians_ms)
    assert spread is not None
    return ThreadTime(threads, spread, 1.0)


@pytest.mark.parametrize(
    ("two", "four", "wanted"),
    [((5.0, 5.2), (4.9, 5.1), 2), ((9.0, 10.2), (9.7, 9.9), 1), ((9.8, 9.9), (3.0, 3.1), 4)],
)
def test_more_threads_must_pay(
    two: tuple[float, ...], four: tuple[float, ...], wanted: int
) -> None:
    times = [thread_time(1, 10.0, 10.5), thread_time(2, *two), thread_time(4, *four)]
    assert best_threads(times).threads == wanted


def test_the_choice_is_noted_beside_the_bundle_and_obeyed(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "anna.edge"
    path.write_bytes(bundle.read_bytes())
    report = json.loads(done(bench("run", path, *QUICK, "--pick", "--json")))
    assert report["threads"][0]["threads"] == 1
    choice = read_choice(path)
    assert choice is not None
    assert any(f"best here: {choice.threads} thread" in note for note in report["notes"])
    replace(choice, threads=3).save(path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    caplog.set_level("INFO")
    with open_recognizer(locate(path), threads=2):
        assert "as measured on" not in caplog.text
    with open_recognizer(locate(path)):
        assert "threads: 3, as measured on" in caplog.text
    replace(choice, bundle_sha256="0" * 64).save(path)
    assert read_choice(path) is None
    choice_path(path).write_text("[]")
    assert read_choice(path) is None
    assert read_choice(None) is None


def test_a_minute_tells_what_heat_does() -> None:
    """A machine that takes 10 ms a picture and, after 30 s, 20 ms."""
    now = [0.0]

    def judge(image: np.ndarray) -> tuple[int, Latency]:
        now[0] += 0.01 if now[0] < 30 else 0.02
        return 1, latency(1.0)

    pictures: Any = Numbers(7)
    seconds: list[int] = []
    found = sustain(
        judge, pictures, 60.0, on_second=lambda: seconds.append(1), clock=lambda: now[0]
    )
    assert found.first == pytest.approx(100.0, rel=0.01)
    assert found.last == pytest.approx(50.0, rel=0.01)
    assert found.rate == pytest.approx(4500 / 60, rel=0.01)
    assert len(seconds) == 60
    with pytest.raises(InputError, match="holds no picture"):
        sustain(judge, Numbers(0), 1.0)  # type: ignore[arg-type]


def test_it_is_shared_as_a_block_and_a_picture(bundle: Path, tmp_path: Path) -> None:
    block, plot = tmp_path / "a.md", tmp_path / "a.png"
    words = ("--sustained", 0.05, "--markdown", block, "--plot", plot, "--json")
    report = json.loads(done(bench("run", bundle, *QUICK, *words)))
    assert report["sustained"]["pictures"] >= 1
    assert report["processor_s_per_1000"] > 0
    assert BenchReport.from_json(report).to_json() == report
    text = block.read_text()
    assert "| sustained, 0 s |" in text
    assert "| bundle | anna, onnx-float32, 1 head |" in text
    assert "before" in text
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "sustained" in printed(report)
    old = {k: v for k, v in report.items() if k not in ("threads", "sustained")}
    assert BenchReport.from_json(old).sustained is None


def test_a_reader_that_has_gone_ends_it_with_0(tmp_path: Path) -> None:
    """As `edge-bench compare … | head -1` does, which reads one line and leaves."""
    for name, ms in (("a.json", 4.0), ("b.json", 8.0)):
        report_of(ms).save(tmp_path / name)
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "benchmarks.cli", "compare", "a.json", "b.json"]
    with os.fdopen(writer, "wb") as stdout:
        ended = subprocess.run(words, cwd=tmp_path, stdout=stdout, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (0, b"")
