"""Scaling: figures that are known beforehand, and tables that are written from what is recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.scaling.__main__ import main
from benchmarks.scaling.faces import frames
from benchmarks.scaling.heads import any_head, cost_rows
from benchmarks.scaling.people import (
    Judging,
    accepted_as_others,
    equality,
    fewer,
    group_rows,
    mostly_rejected,
    passed,
    rejected,
    rows_of,
)
from benchmarks.scaling.plot import Plot
from benchmarks.scaling.recorded import (
    RECORDED,
    RESULTS,
    RecordedTable,
    draw,
    recorded_tables,
    with_tables,
)
from edge.bundle.locate import shipped_bundle
from edge.errors import InputError
from edge.heads.threshold import Rate

WHOSE = np.array(["a", "a", "a", "b", "b", "c"])


def judging() -> Judging:
    """a and b are enrolled; a's head takes b's second picture, b's head takes nobody but b."""
    accepted = np.array([[0, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0]], bool)
    own = np.array([WHOSE == "a", WHOSE == "b"])
    return Judging(accepted, own, ~own, WHOSE, ("a", "b"), 1)


def test_errors_are_counted_over_pictures_pairs_and_people() -> None:
    found = judging()
    assert (found.frr.events, found.frr.trials) == (3, 5)
    assert found.far == pytest.approx((1 / 3 + 0) / 2)
    assert (found.pairs.events, found.pairs.trials) == (1, 4)
    assert mostly_rejected(found) == {"a": False, "b": True}
    assert accepted_as_others(found) == {"a": False, "b": True, "c": False}
    share, strangers = any_head(found.accepted, WHOSE, found.owners, 2)
    assert (share, strangers.events, strangers.trials) == (0.0, 0, 1)
    (row,) = rows_of({1000: found}, ("many",))
    assert row[:4] == ("many", "1,000", "2 (1 refused)", "0.600 (3 of 5)")


def test_groups_are_called_equal_only_where_numbers_carry_it() -> None:
    assert "do not carry it" in equality(Rate(0, 20), Rate(0, 20))
    assert equality(Rate(0, 200), Rate(0, 300)) == "equal within 5 points"
    assert equality(Rate(0, 200), Rate(40, 200)) == "different"
    assert "nobody" in equality(Rate(0, 0), Rate(1, 2))
    assert str(Rate(4, 4)) == "4 of 4 (95 % bound 100 %)"
    rows, said = group_rows(judging(), {"Male": {"a": True, "b": False, "c": False}})
    assert [row[0] for row in rows] == ["Male", "not Male"]
    assert rows[1][1].startswith("1 of 1")
    assert "do not carry it" in said[0]


def test_fewer_strangers_are_whole_people() -> None:
    with shipped_bundle() as bundle:
        cohort = bundle.cohort()
    small = fewer(cohort, 30)
    assert len(np.unique(small.identity)) == 30
    kept = np.isin(cohort.identity, small.identity)
    assert len(small) == kept.sum()


def test_frames_show_so_many_faces() -> None:
    made = frames((0, 3))
    assert made[0].shape == made[3].shape == (720, 1280, 3)
    assert np.ptp(made[0]) == 0
    changed = (made[3] != made[0]).any(axis=(0, 2))
    assert changed[:700].any()
    assert not changed[3 * 256 :].any()


def test_heads_cost_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.scaling.heads.FACES", 2)
    few, many = cost_rows((1, 2000), repeats=1)
    assert (few[0], many[0]) == ("1", "2,000")
    assert float(many[1]) > float(few[1])


def a_table(name: str = "photos") -> RecordedTable:
    return RecordedTable(
        name, "python -m x", "2026-11-27", "0123", "nothing", ("a", "b"), (("1", "2"),), ("Said.",)
    )


def test_a_table_is_kept_and_written_between_its_marks(tmp_path: Path) -> None:
    path = a_table().save(tmp_path)
    assert RecordedTable.load(path) == a_table()
    page = "# x\n<!-- recorded: photos -->\nold\n<!-- end of photos -->\nend\n"
    once = with_tables(page, recorded_tables(tmp_path))
    assert "old" not in once
    assert "| a | b |\n|---|---|\n| 1 | 2 |" in once
    assert once.endswith("<!-- end of photos -->\nend\n")
    assert with_tables(once, recorded_tables(tmp_path)) == once
    with pytest.raises(InputError, match="no place for photos"):
        with_tables("# x\n", [a_table()])
    path.write_text(json.dumps({"schema": 2}))
    with pytest.raises(InputError, match="no recorded table"):
        RecordedTable.load(path)


def test_a_plot_is_kept_with_its_table_and_drawn(tmp_path: Path) -> None:
    found = {5: judging(), 10: judging()}
    series = (rejected("a, b", found), passed("strangers", found))
    assert series[0].points == ((5.0, 60.0), (10.0, 60.0))
    (low, high), _ = series[0].bars
    assert low < 60 < high
    assert series[1].points[0][1] == pytest.approx(100 / 6)
    table = replace(a_table(), plot=Plot("Photos", "photos", "rejected (%)", series))
    assert RecordedTable.load(table.save(tmp_path)) == table
    drawn = draw([table, a_table("strangers")], tmp_path)
    assert [path.name for path in drawn] == ["photos.png"]
    first = drawn[0].read_bytes()
    assert first.startswith(b"\x89PNG")
    assert draw([table], tmp_path)[0].read_bytes() == first


def test_results_hold_what_is_recorded() -> None:
    """Whoever changes a recorded table runs `make bench`, and no figure is typed by hand."""
    tables = recorded_tables(RECORDED)
    assert tables
    text = RESULTS.read_text("utf-8")
    assert with_tables(text, tables) == text


def test_real_people_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_SHARED", raising=False)
    done = CliRunner().invoke(main, ["photos"])
    assert done.exit_code == 2
    assert "--shared" in done.stderr
