"""From a run to a bundle and back: formats, golden crops, people, terms, and the four commands."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
import run_factory as factory

from edge.bundle.manifest import SCHEMA_FILE
from edge.bundle.reader import Bundle
from edge.bundle.signature import PrivateKey, PublicKey
from edge.bundle.writer import BundleWriter
from edge.errors import (
    BundleManifestInvalid,
    BundleSignatureError,
    GateFailed,
    InputError,
    ModelError,
    RefusedError,
    UsageError,
)
from edge.faces.detector import detector_bytes
from edge.files.model_file import sha256_of
from edge.models.embedder import Embedder
from edge.models.runtime import open_model
from edge.models.spec import FORMATS
from export.gate.limits import Recipe
from export.options import PackOptions
from export.packing.pack import pack
from export.verify.contents import inspect
from export.verify.golden import verify

ROOT = Path(__file__).resolve().parents[2]
QUICK = Recipe(timing_s=0.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factory.shared_base(tmp_path_factory.getbasetemp().parent)


@pytest.fixture(scope="module")
def anna(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factory.person_run(tmp_path_factory.mktemp("runs") / "anna", base)


@pytest.fixture(autouse=True)
def _log_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def command(*words: object, state: Path) -> subprocess.CompletedProcess[str]:
    """`edge-export` as a process of its own."""
    code = "import sys; from export.cli.main import main; main()"
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def everything(
    base: Path, anna: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str], Path]:
    """All formats with a person in it, the process that packed it, and its log."""
    folder = tmp_path_factory.mktemp("everything")
    out = folder / "all.edge"
    done = command(
        "pack", base, "--head", anna, "-o", out, "--format", "all", "--format", "keras",
        "--format", "savedmodel", "--fused", "--json", state=folder / "state",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, done, folder / "state" / "edge-recognize" / "export.log"


def pack_person(run: Path, out: Path, **changes: Any) -> Any:
    return pack(PackOptions(run, out, recipe=QUICK, **changes))


def test_all_formats_travel_and_run(
    everything: tuple[Path, Any, Path], base: Path, anna: Path
) -> None:
    path, done, _ = everything
    said = json.loads(done.stdout)
    assert [c["format"] for c in said["candidates"]] == list(FORMATS)
    assert said["chosen"] == "tflite-int8"
    with np.load(base / "representative.npz") as file:
        crops = file["held_out"][:10]
    with Bundle.open(path) as bundle:
        jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8"))).validate(
            bundle.manifest.to_json()
        )
        models = {entry.network.format: entry for entry in bundle.manifest.models}
        assert set(models) == set(FORMATS)
        deployed = Embedder(bundle.base, bundle.base_data).embed(crops)
        for format, entry in models.items():
            network, data = entry.network, bundle.read(entry.member)
            said_of = Embedder(network, data).embed(crops)
            assert said_of.embeddings is not None
            assert deployed.embeddings is not None
            cosines = np.sum(said_of.embeddings * deployed.embeddings, axis=1)
            assert cosines.mean() > 0.98, format
            wanted = {"onnxruntime"} if format.startswith("onnx") else {"ai-edge-litert"}
            assert wanted <= set(network.minimal_runtimes)


def test_the_deployed_file_is_the_runs_own(everything: tuple[Path, Any, Path], base: Path) -> None:
    with Bundle.open(everything[0]) as bundle:
        assert bundle.embedder_data == (base / "model.int8.tflite").read_bytes()
        assert bundle.embedder.sha256 == factory.network_of(base).sha256


def test_converters_are_not_heard(everything: tuple[Path, Any, Path]) -> None:
    _, done, log = everything
    assert all(line.endswith(" ...") for line in done.stderr.splitlines()), done.stderr
    json.loads(done.stdout)
    assert "Quantization parameters" in log.read_text() or log.stat().st_size > 0


def test_onnx_files_say_what_they_are(everything: tuple[Path, Any, Path]) -> None:
    with Bundle.open(everything[0]) as bundle:
        for number in ("float32", "int8"):
            model = onnx.load_from_string(bundle.read(f"models/base.{number}.onnx"))
            onnx.checker.check_model(model, full_check=True)
            shapes = {
                value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
                for value in (*model.graph.input, *model.graph.output)
            }
            side = factory.SIZE_PX
            assert shapes == {
                "pixels": [1, side, side, 3],
                "attributes": [1, len(factory.ATTRIBUTES)],
                "embedding": [1, factory.EMBEDDING_SIZE],
            }
            facts = {entry.key: entry.value for entry in model.metadata_props}
            assert facts["attributes"] == ",".join(factory.ATTRIBUTES)
            assert facts["licence"] == "CC0-1.0"
            assert {entry.version for entry in model.opset_import} == {17}
            assert model.ir_version == 8


def test_the_fused_graph_gives_the_probability_of_the_person(
    everything: tuple[Path, Any, Path], base: Path
) -> None:
    crops = np.concatenate([factory.own_crops(), factory.some_crops(20, 2)])
    with Bundle.open(everything[0]) as bundle:
        (head,) = bundle.heads
        entry = next(e for e in bundle.manifest.alternatives if e.network.format.endswith("32"))
        said = Embedder(entry.network, bundle.read(entry.member)).embed(crops)
        assert said.embeddings is not None
        distance = head.score(said.embeddings) - head.threshold
        due = 1 / (1 + np.exp(-distance * head.normalization.std))
        for suffix, format in (("tflite", "tflite-float32"), ("onnx", "onnx-float32")):
            model = open_model(bundle.read(f"models/fused.float32.{suffix}"), format)
            tensor = entry.network.input.tensor(crops)
            found = [model.run(tensor[n : n + 1])["probability"].item() for n in range(len(crops))]
            np.testing.assert_allclose(found, due, atol=5e-3)
        assert due[:12].max() > 0.5 > due[12:].min()


def test_files_for_other_programs(everything: tuple[Path, Any, Path], base: Path) -> None:
    with Bundle.open(everything[0]) as bundle:
        kinds = {entry.kind for entry in bundle.manifest.files}
        assert kinds == {"keras", "savedmodel", "fused-tflite-float32", "fused-onnx-float32"}
        assert bundle.read("models/base.keras") == (base / "model.keras").read_bytes()
        assert "models/saved_model/saved_model.pb" in bundle.manifest.members


def test_the_card_the_labels_and_the_terms(everything: tuple[Path, Any, Path]) -> None:
    with Bundle.open(everything[0]) as bundle:
        manifest = bundle.manifest
        card = bundle.text(manifest.card)
        measured = "For whom it was measured"
        for words in ("Anna", "tflite-int8", "accuracy, value: 0.8", "baseline: 0.7", measured):
            assert words in card
        assert bundle.text(manifest.labels).split() == list(factory.ATTRIBUTES)
        terms = {Path(name).name: bundle.text(name) for name in manifest.licences}
        assert set(terms) == {"base.txt", "detector.txt", "cohort.txt", "heads.txt"}
        assert "CC0-1.0" in terms["base.txt"]
        assert "MIT License" in terms["detector.txt"]
        assert "stripes and blobs" in terms["cohort.txt"]
        everything_said = json.dumps(manifest.to_json()) + card
        assert "edge-train attributes" not in everything_said  # paths of the trainer's machine


def test_verify_runs_the_golden_crops(everything: tuple[Path, Any, Path], tmp_path: Path) -> None:
    found = verify(everything[0])
    found.require()
    assert found.difference is not None
    assert (found.difference.crops, found.difference.decisions) == (6, 0)
    assert found.difference.cosine_worst > 0.9999
    assert {check.format for check in found.alternatives} == set(FORMATS) - {"tflite-int8"}
    assert all(not check.problem for check in found.alternatives)
    done = command("verify", everything[0], state=tmp_path)
    assert done.returncode == 0
    assert "members as the manifest promises" in done.stdout


def test_verify_finds_other_results(everything: tuple[Path, Any, Path], tmp_path: Path) -> None:
    target = tmp_path / "other.edge"
    with Bundle.open(everything[0]) as bundle:
        golden = bundle.golden
        assert golden is not None
        for changed, words in (
            (replace(golden, embeddings=np.roll(golden.embeddings, 1, axis=0)), "cosine"),
            (replace(golden, accepted=~golden.accepted), "6 decisions differ"),
        ):
            BundleWriter.of(bundle, golden=changed.to_bytes()).write(target)
            with pytest.raises(GateFailed, match=words):
                verify(target).require()
    done = command("verify", target, "--json", state=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["type"] == "GateFailed"


def test_inspect_tells_everything_and_shows_nobody(
    everything: tuple[Path, Any, Path], tmp_path: Path
) -> None:
    done = command("inspect", everything[0], "--json", state=tmp_path)
    said = json.loads(done.stdout)
    assert said["manifest"]["name"] == "all"
    assert [head["name"] for head in said["heads"]] == ["Anna"]
    assert said["cohort"]["people"] == 40
    assert said["golden"]["crops"] == 6
    text = "\n".join(inspect(everything[0]).lines())
    for words in ("Anna", "tflite-int8", "cohort", "signature none", "onnxruntime 1.12"):
        assert words in text
    assert "weights" not in text


def test_a_persons_run_by_itself(anna: Path, tmp_path: Path) -> None:
    out = tmp_path / "anna.edge"
    result = pack_person(anna, out)
    assert result.heads == ("Anna",)
    assert any("the float model is not here" in text for text in result.warnings)
    first = out.read_bytes()
    pack_person(anna, out)
    assert out.read_bytes() == first
    assert result.sha256 == sha256_of(first)
    verify(out).require()
    with Bundle.open(out) as bundle:
        cohort = bundle.cohort()
        assert cohort is not None
        assert bundle.detector_data is not None


def test_several_people_in_one_bundle(base: Path, tmp_path: Path) -> None:
    anna = factory.person_run(tmp_path / "anna", base, "Anna")
    ben = factory.person_run(tmp_path / "ben", base, "Ben", seed=12)
    out = tmp_path / "family.edge"
    assert set(pack_person(anna, out, heads=(ben,)).heads) == {"Anna", "Ben"}
    with Bundle.open(out) as bundle:
        assert bundle.golden is not None
        assert bundle.golden.scores.shape == (6, 2)
    with pytest.raises(UsageError, match="two runs hold a person named Anna"):
        pack_person(anna, out, heads=(anna,))


def test_thresholds_are_those_of_the_whole_bundle(base: Path, tmp_path: Path) -> None:
    """Two people share the FAR that one had alone, so that neither threshold falls."""
    people = (("Anna", factory.ANNA), ("Ben", 12))
    runs = [factory.person_run(tmp_path / name, base, name, seed) for name, seed in people]
    alone = []
    for run in runs:
        pack_person(run, tmp_path / "alone.edge")
        with Bundle.open(tmp_path / "alone.edge") as bundle:
            alone.append(bundle.heads[0].threshold)
    pack_person(runs[0], tmp_path / "x.edge", heads=(runs[1],))
    with Bundle.open(tmp_path / "x.edge") as bundle:
        together = [head.threshold for head in bundle.heads]
        assert [entry.threshold for entry in bundle.manifest.heads] == together
        assert all(new >= old for new, old in zip(together, alone, strict=True))
        assert [head.facts.heads for head in bundle.heads] == [2, 2]
        assert bundle.manifest.facts["far_of_bundle"]["trials"] > 0
        card = bundle.text(bundle.manifest.card)
        assert "12 looks of its own" in card
        assert "FAR" in card
    (runs[0] / "cohort.npz").unlink()
    (runs[1] / "cohort.npz").unlink()
    result = pack_person(runs[0], tmp_path / "x.edge", heads=(runs[1],))
    assert any("not of the bundle" in text for text in result.warnings)


def test_heads_can_be_exchanged_on_the_device(anna: Path, base: Path, tmp_path: Path) -> None:
    out = tmp_path / "anna.edge"
    pack_person(anna, out)
    with Bundle.open(out) as bundle:
        BundleWriter.of(bundle, heads=[factory.a_head(base, "Cleo Ö.", 13)]).write(out)
    with Bundle.open(out) as bundle:
        bundle.verify()
        assert [head.name for head in bundle.heads] == ["Cleo Ö."]
        assert bundle.golden is not None
        assert bundle.golden.heads == ()
    verify(out).require()
    stranger = replace(factory.a_head(base), embedder_sha256="0" * 64)
    with (
        Bundle.open(out) as bundle,
        pytest.raises(BundleManifestInvalid, match="enrolled on another embedder"),
    ):
        BundleWriter.of(bundle, heads=[stranger]).write(out)


def test_heads_of_another_embedder_are_refused(anna: Path, base: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(anna, run)
    stranger = replace(factory.a_head(base, "Dora"), embedder_sha256="0" * 64)
    stranger.save(run / "heads" / "Dora.npz")
    for options in (PackOptions(run, tmp_path / "x.edge"),
                    PackOptions(anna, tmp_path / "x.edge", heads=(run,))):  # fmt: skip
        with pytest.raises(RefusedError, match=r"Dora of .* the scores would mean nothing"):
            pack(options)
    assert not (tmp_path / "x.edge").exists()


def test_a_cohort_of_another_embedder_is_refused(anna: Path, tmp_path: Path) -> None:
    from edge.heads.cohort import Cohort

    run = tmp_path / "run"
    shutil.copytree(anna, run)
    replace(Cohort.load(run / "cohort.npz"), embedder_sha256="0" * 64).save(run / "cohort.npz")
    with pytest.raises(RefusedError, match="cohort"):
        pack_person(run, tmp_path / "x.edge")


def test_an_external_embedder(base: Path, tmp_path: Path) -> None:
    """Heads stand on it, so the base is free: the fastest format is chosen."""
    run = tmp_path / "run"
    shutil.copytree(base, run)
    (run / "cohort.npz").unlink()
    data = (base / "model.int8.tflite").read_bytes() + b"another file"
    network = replace(
        factory.network_of(base), sha256=sha256_of(data), outputs={"embedding": "embedding"},
        attributes=(), attribute_thresholds=(), source="elsewhere",
    )  # fmt: skip
    (run / "embedder.tflite").write_bytes(data)
    fields = json.loads((run / "run.json").read_text())
    fields["embedder"] = network.to_json()
    (run / "run.json").write_text(json.dumps(fields))
    (run / "heads").mkdir()
    head = replace(factory.a_head(base), embedder_sha256=network.sha256)
    head.save(run / "heads" / "Anna.npz")
    out = tmp_path / "x.edge"
    pack_person(run, out, formats=("tflite-int8",))
    verify(out).require()
    with Bundle.open(out) as bundle:
        assert bundle.embedder_data == data
        assert bundle.base.sha256 != bundle.embedder.sha256
        assert bundle.base.outputs == {"attributes": "attributes", "embedding": "embedding"}
        assert "licences/embedder.txt" in bundle.manifest.licences
    ben = factory.person_run(tmp_path / "ben", base, "Ben", 12)
    with pytest.raises(RefusedError, match="the scores would mean nothing"):
        pack_person(run, out, heads=(ben,))


def test_the_format_that_was_chosen_is_the_bases_and_can_carry_people(
    base: Path, tmp_path: Path
) -> None:
    """Where nothing is bound to the int8 file, the base comes in the format that was asked for, and
    people who are enrolled on that file stay with it."""
    bare = tmp_path / "bare"
    shutil.copytree(base, bare)
    (bare / "cohort.npz").unlink()
    result = pack_person(bare, tmp_path / "half.edge", formats=("tflite-float16",))
    assert result.chosen.format == "tflite-float16"
    assert {c.format for c in result.candidates} == {"tflite-float16", "tflite-int8"}
    run = tmp_path / "run"
    with Bundle.open(tmp_path / "half.edge") as bundle:
        assert not bundle.manifest.alternatives
        factory.write_run(run, bundle.base, bundle.base_data, kind="person")
    factory.add_cohort(run)
    (run / "heads").mkdir()
    factory.a_head(run).save(run / "heads" / "Anna.npz")
    shutil.copy(base / "golden.npz", run)
    for formats in (("auto",), ("all",), ("tflite-float16",)):
        assert pack_person(run, tmp_path / "x.edge", formats=formats).heads == ("Anna",)
    with Bundle.open(tmp_path / "x.edge") as bundle:
        assert bundle.base.format == "tflite-float16"
        assert bundle.heads[0].embedder_sha256 == bundle.base.sha256
    verify(tmp_path / "x.edge").require()
    with pytest.raises(InputError, match=r"has no model\.keras, so tflite-int8"):
        pack_person(run, tmp_path / "x.edge", formats=("tflite-int8",))


def test_auto_tries_all_and_packs_one(base: Path, anna: Path, tmp_path: Path) -> None:
    """All that passed are timed; with somebody enrolled it is the file that they stand on."""
    out = tmp_path / "x.edge"
    done = command("pack", base, "--head", anna, "-o", out, "-q", state=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:5] == ["format", "MB", "ms", "ratio", "cosine"]
    rows = {line.split()[0].lstrip("*"): line.split() for line in lines[1 : 1 + len(FORMATS)]}
    assert set(rows) == set(FORMATS)
    assert all(float(row[2]) > 0 and float(row[3]) > 0 for row in rows.values())
    assert rows["tflite-float32"][3] == "1.00"
    assert [row[0] for row in rows.values() if row[0].startswith("*")] == ["*tflite-int8"]
    assert "stand on this file" in lines[1 + len(FORMATS)]
    with Bundle.open(out) as bundle:
        assert not bundle.manifest.alternatives
        assert len(bundle.manifest.facts["formats"]) == len(FORMATS)
        assert not {"speed_ms", "speed_ratio"} & set(bundle.manifest.facts["formats"][0])


def test_signing(anna: Path, tmp_path: Path) -> None:
    key, out = tmp_path / "maker.key", tmp_path / "x.edge"
    done = command("keygen", "-o", key, "--json", state=tmp_path)
    said = json.loads(done.stdout)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    public = PublicKey.load(tmp_path / "maker.key.pub")
    assert said["key_id"] == public.key_id == PrivateKey.load(key).public.key_id
    assert command("keygen", "-o", key, state=tmp_path).returncode == 1
    result = pack_person(anna, out, sign=key)
    assert result.key_id == public.key_id
    assert verify(out, tmp_path / "maker.key.pub").verified_by == public.key_id
    assert "verified" in "\n".join(inspect(out, tmp_path / "maker.key.pub").lines())
    other = tmp_path / "other.pub"
    other.write_bytes(PrivateKey.generate().public.to_pem())
    with pytest.raises(BundleSignatureError, match="does not verify"):
        verify(out, other)


def _cases(anna: Path, tmp_path: Path) -> list[tuple[Path, type[Exception], str]]:
    """Runs with something wrong: the folder, the error, and what it says."""

    def spoilt(name: str, change: Any) -> Path:
        run = tmp_path / name
        shutil.copytree(anna, run)
        change(run)
        return run

    def field(key: str, value: Any) -> Any:
        def change(run: Path) -> None:
            fields = json.loads((run / "run.json").read_text())
            fields[key] = value
            (run / "run.json").write_text(json.dumps(fields))

        return change

    network = factory.network_of(anna).to_json()
    blind = {**network, "outputs": {"attributes": "attributes"}}
    keras = tmp_path / "old.keras"
    keras.write_bytes(b"x")

    def damage(run: Path) -> None:
        (run / "model.int8.tflite").write_bytes(b"other")

    def npz(run: Path) -> None:
        (run / "golden.npz").write_bytes(b"other")

    def sizes(run: Path) -> None:
        np.savez(run / "golden.npz", crops=np.zeros((2, 9, 9, 3), np.uint8))

    return [
        (tmp_path / "none", InputError, "does not exist"),
        (tmp_path, InputError, r"has no run\.json"),
        (keras, InputError, "is a model file, not a run"),
        (spoilt("schema", field("schema", 7)), InputError, "schema 7, this version reads 1"),
        (spoilt("network", field("network", {})), InputError, "incomplete"),
        (spoilt("blind", field("network", blind)), InputError, "has no embedding"),
        (spoilt("text", lambda run: (run / "run.json").write_text("{")), InputError, "cannot read"),
        (spoilt("damaged", damage), ModelError, "has sha256"),
        (spoilt("gone", lambda run: (run / "model.int8.tflite").unlink()), ModelError, "cannot"),
        (spoilt("npz", npz), InputError, r"cannot read .*golden\.npz"),
        (spoilt("sizes", sizes), InputError, r"not uint8\[crops, 48, 48, 3\]"),
    ]


def test_runs_that_cannot_be_packed(anna: Path, tmp_path: Path) -> None:
    for run, error, words in _cases(anna, tmp_path):
        with pytest.raises(error, match=words) as caught:
            pack_person(run, tmp_path / "x.edge")
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.edge"))


def test_command_lines_that_cannot_be_meant(anna: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no model\.keras, so onnx-int8"):
        pack_person(anna, tmp_path / "x.edge", formats=("onnx-int8",))
    with pytest.raises(InputError, match="--fused needs the float model"):
        pack_person(anna, tmp_path / "x.edge", fused=True)
    with pytest.raises(UsageError, match="no bundle's name"):
        pack_person(anna, tmp_path / "x.zip")
    with pytest.raises(UsageError, match="unknown format"):
        pack_person(anna, tmp_path / "x.edge", formats=("caffe",))
    done = command("pack", tmp_path / "none", "-o", "x.edge", "--json", state=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["type"] == "InputError"
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("*.edge"))


def test_without_golden_crops(anna: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(anna, run)
    (run / "golden.npz").unlink()
    result = pack_person(run, tmp_path / "x.edge")
    assert any("no golden crops" in text for text in result.warnings)
    found = verify(tmp_path / "x.edge")
    found.require()
    assert found.difference is None


@pytest.mark.long
def test_the_same_run_gives_the_same_bytes(base: Path, anna: Path, tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        out = tmp_path / name / "x.edge"
        done = command("pack", base, "--head", anna, "-o", out, "--format", "all", "-q",
                       state=tmp_path)  # fmt: skip
        assert done.returncode == 0, done.stderr
        made.append(out.read_bytes())
    assert made[0] == made[1]


def test_a_model_that_crashes_its_runtime_is_neither_packed_nor_verified(
    anna: Path, everything: tuple[Path, Any, Path], tmp_path: Path
) -> None:
    """The detector here; the bundle's hashes are all right."""
    model = onnx.load_from_string(detector_bytes())
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    next(each for each in first.attribute if each.name == "group").i = 0
    detector = tmp_path / "d.onnx"
    detector.write_bytes(model.SerializeToString())
    out = tmp_path / "x.edge"
    done = command("pack", anna, "-o", out, "--detector-model", detector, state=tmp_path)
    assert done.returncode == 1
    assert "detector: ended its process by SIG" in done.stderr
    assert not out.exists()
    with Bundle.open(everything[0]) as bundle:
        BundleWriter.of(bundle, detector=("d.onnx", detector.read_bytes(), 0.6)).write(out)
    done = command("verify", out, "--json", state=tmp_path)
    assert done.returncode == 1
    assert "detector: ended its process by SIG" in json.loads(done.stdout)["error"]["message"]
