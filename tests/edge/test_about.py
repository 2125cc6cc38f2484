"""What a device tells of itself."""

from __future__ import annotations

import json
from pathlib import Path

from edge import __version__
from edge.bundle.locate import Located, shipped_bundle
from edge.recognition.recognizer import Recognizer
from edge.service.about import about


def test_a_device_tells_what_runs_there() -> None:
    bundle = shipped_bundle()
    with Recognizer.open(bundle) as recognizer:
        facts = about(Located(Path("/x/anna-0123.edge"), ""), recognizer, ["camera 0"])
        assert about(Located(None, ""), recognizer, [])["bundle"] is None
    assert facts["software"] == __version__
    assert facts["bundle"] == "anna-0123.edge"
    assert facts["base"] == bundle.embedder.sha256[:12]
    assert (facts["people"], facts["sources"]) == (0, ["camera 0"])
    assert json.loads(json.dumps(facts)) == facts
