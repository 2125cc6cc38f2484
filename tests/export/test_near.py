"""Gates look near the thresholds and at a person's own samples, with heads that enrolment made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import embedding_factory
import numpy as np
import pytest
import run_factory as factory

from edge.errors import GateFailed
from edge.heads.enrol import enrol
from edge.heads.head import KERNEL, LINEAR, Head
from edge.models.embedder import Perception, l2_normalized
from edge.models.runtime import open_model
from export.convert import fused
from export.convert.float_model import FloatModel
from export.gate.candidate import Judge
from export.gate.limits import Limits, Recipe
from export.gate.parity import Answers, Parity, answers_of_file, measure
from export.inputs.near import NEAR, differs, near_points
from trainer.task.head import TaskExamples, fit_task_head


@pytest.fixture(scope="module")
def enrolled() -> tuple[Head, np.ndarray]:
    """Somebody enrolled against made-up strangers, and strangers."""
    world = embedding_factory.World(3)
    person = world.person()
    own = world.pictures(person, 20)
    cohort = world.cohort(200)
    head = enrol("Anna", own, np.arange(20), cohort)
    assert head.normalization.kind == "own"
    strangers = np.concatenate([world.pictures(world.person(), 1) for _ in range(100)])
    return head, strangers


def said(embeddings: np.ndarray) -> Answers:
    return Answers(Perception(embeddings, None), Perception(embeddings, None))


def test_points_lie_near_the_threshold_and_on_own_samples(
    enrolled: tuple[Head, np.ndarray],
) -> None:
    head, strangers = enrolled
    points, of = near_points(head, strangers)
    own = len(head.normalization.rows)
    assert len(points) - own > 300
    away = head.score(points[:-own]) - head.threshold
    assert np.abs(away).max() <= NEAR
    assert (away > 0.5).any()
    assert (away < -0.5).any()
    assert of.max() < len(strangers)


def test_a_file_that_is_wrong_near_the_threshold_alone_is_refused(
    enrolled: tuple[Head, np.ndarray],
) -> None:
    """On strangers every decision is the same; the person would be lost now and then."""
    head, strangers = enrolled
    towards = l2_normalized(head.layers[0].weights.T)
    off = l2_normalized(strangers - 0.06 * towards)
    parity = measure(said(strangers), said(off), (), [head], mirrored=True,
                     enrolled=said(strangers))  # fmt: skip
    assert parity.agreement["Anna"] == 1.0
    assert parity.near["Anna"] < 0.97
    words = Limits(cosine_mean=0, cosine_worst=0).violations(parity)
    assert [w for w in words if "near the threshold" in w]
    same = measure(said(strangers), said(strangers), (), [head], enrolled=said(strangers))
    assert same.near == {"Anna": 1.0}


def test_a_head_is_compared_with_the_file_that_it_stands_on(
    enrolled: tuple[Head, np.ndarray],
) -> None:
    """However far the float model is: the deployed file decides as what enrolled it."""
    head, strangers = enrolled
    other = l2_normalized(strangers + 0.5 * np.roll(strangers, 1, axis=0))
    parity = measure(said(other), said(strangers), (), [head], enrolled=said(strangers))
    assert (parity.agreement["Anna"], parity.near["Anna"]) == (1.0, 1.0)


def test_a_task_is_asked_near_its_threshold_in_its_own_unit() -> None:
    """Its scores have no unit, and among the faces there may be none that it says yes to."""
    world = embedding_factory.World(4)
    faces = np.concatenate([world.pictures(world.person(), 1) for _ in range(60)])
    worn = 0.8 * world.looks[1:2]
    x = np.concatenate([l2_normalized(faces[:40] + worn), faces[:40]]).astype(np.float64)
    answer = np.arange(80) < 40
    group = np.arange(80) % 40
    examples = TaskExamples(x, x[:0], np.zeros(0, np.int64), answer, group)
    for kind in (LINEAR, KERNEL):
        fit = fit_task_head(examples, (kind,), 0)
        head = Head("glasses", fit.kind, "ab" * 32, fit.layers, threshold=0.0)
        said_no = faces[~head.accepts(faces)]
        assert len(said_no) > 30
        points, _ = near_points(head, said_no)
        scores = head.score(points[:-1])
        assert len(scores) > 100
        assert (scores > 0).any()
        assert (scores < 0).any()
        assert np.abs(scores).max() <= np.std(head.score(said_no)) + 1e-9


def test_without_a_float_model_heads_are_compared_all_the_same(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    base = factory.shared_base(tmp_path_factory.getbasetemp().parent)
    network, data = factory.network_of(base), (base / "model.int8.tflite").read_bytes()
    crops = factory.some_crops(20, 8)
    known = answers_of_file(network, data, crops)
    head = factory.a_head(base)
    judge = Judge(crops, None, [head], Recipe(timing_s=0.0), enrolled=known)
    assert judge.judge(network, data).parity.agreement == {"Anna": 1.0}
    assert judge.judge(network, data).parity.near == {"Anna": 1.0}


def test_within_its_band_a_head_does_not_commit_itself(enrolled: tuple[Head, np.ndarray]) -> None:
    head, _ = enrolled
    at, band = head.threshold, head.margin
    should = np.array([at + band / 2, at + 2 * band, at - 2 * band])
    found = np.array([at - band, at - band, at + band])
    assert differs(head, should, found).tolist() == [False, True, True]


def test_one_crop_is_allowed_whatever_rounding_makes_of_it() -> None:
    for crops in range(20, 34):
        drift = (7 / crops) - (6 / crops)
        assert Limits().violations(Parity(crops, frr_drift=drift)) == ()


def test_fused_graphs_normalize_as_enrolment_does(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also on the person's own looks; a head without its normalization is refused."""
    base = factory.shared_base(tmp_path_factory.getbasetemp().parent)
    head = factory.a_head(base)
    assert head.normalization.kind == "own"
    model, network = FloatModel(base / "model.keras"), factory.network_of(base)
    crops = np.concatenate([factory.own_crops(), factory.own_crops(5), factory.some_crops(40, 8)])
    files = fused.fuse(model, [head], {}, mirrored=network.mirrored)
    plain, mirror = model.perceive(crops), model.perceive(crops[:, :, ::-1])
    assert plain.embeddings is not None
    assert mirror.embeddings is not None
    exact = l2_normalized(plain.embeddings + mirror.embeddings)
    due = head.score(exact)
    pixels = np.ascontiguousarray(crops[..., ::-1]).astype(np.float32)
    for kind, data in files.items():
        graph = open_model(data, kind)
        found = np.array([graph.run(p[None])[fused.OUTPUT].item() for p in pixels])
        sure = (found < 1e-4) | (found > 1 - 1e-4)
        np.testing.assert_allclose(fused.scores_of(head, found)[~sure], due[~sure], atol=0.02)
        assert (differs(head, due, fused.scores_of(head, found))).sum() == 0
    said_of = factory.embeddings_of(base, crops)
    fused.check(files, network, [head], crops, said_of, exact, 0.97)
    norm = replace(head.normalization, weight=0.0)
    bare = fused.fuse(model, [replace(head, normalization=norm)], {}, mirrored=network.mirrored)
    with pytest.raises(GateFailed, match="are not those of Anna"):
        fused.check(bare, network, [head], crops, said_of, exact, 0.97)


def test_a_run_on_the_shipped_base_is_measured_without_pictures(tmp_path: Path) -> None:
    """The float model comes with the package, the crops with the run; a task is not refused."""
    import json

    from edge.bundle.locate import shipped_bundle
    from export.packing.pack import PackOptions, pack
    from trainer.run_folder import save_golden

    with shipped_bundle() as bundle:
        network, data, cohort = bundle.base, bundle.base_data, bundle.cohort()
    assert cohort is not None
    run = tmp_path / "run"
    factory.write_run(run, network, data, kind="person")
    save_golden(run, network.input)
    cohort.save(run / "cohort.npz")
    rng = np.random.default_rng(0)
    someone = cohort.vectors()[:1]
    own = l2_normalized(someone + 0.05 * rng.normal(size=(12, network.embedding_size)) / 4)
    (run / "heads").mkdir()
    enrol("Anna", own.astype(np.float32), np.arange(12), cohort).save(run / "heads" / "Anna.npz")
    fields = json.loads((run / "run.json").read_text())
    fields["data"]["task"] = True
    (run / "run.json").write_text(json.dumps(fields))
    result = pack(PackOptions(run, tmp_path / "x.edge", log=tmp_path / "log"))
    parity = result.chosen.parity
    assert parity.cosine_mean is not None
    assert parity.cosine_mean > 0.9
    assert parity.agreement == {"Anna": 1.0}
    assert parity.near == {"Anna": 1.0}
    assert not [text for text in result.warnings if "parity" in text]
