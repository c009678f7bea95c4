"""Nodes in a run: opinions over a few looks, in the findings and in the picture."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np

from edge_us.finding import AiState, Assessment, Exam, Finding, FindingKind, FrameResult, SourceState, Unknown
from edge_us.frame import Frame
from edge_us.nodes.criteria import CORTEX
from edge_us.nodes.pattern import NodePattern
from edge_us.nodes.reading import Reading, look
from edge_us.nodes.stage import ReadNode
from edge_us.overlay.overlay import Overlay, label_text
from edge_us.overlay.picture import Hud
from edge_us.schema import schema_path
from edge_us.sinks.findings_file import to_record
from edge_us.tracking.looks import Looks
from tests.nodes.nodes import phantom

FOCAL = list(NodePattern).index(NodePattern.FOCAL)
HUD = Hud(30.0, 0, 0, "axilla-fast")


def read(number: int = FOCAL, looks: int = 3, *, scaled: bool = True) -> tuple[Frame, Finding]:
    _, frame, found = phantom(number, scaled=scaled)
    stage = Looks(ReadNode(), stills=False, threshold=0.2)
    for index in range(looks):
        frame = replace(frame, index=index, pts_ns=index * 200_000_000)
        stage.apply(frame, [found], None, None)
        stage.learn()
    frame = replace(frame, index=looks, pts_ns=frame.pts_ns + 33_000_000)
    (found,) = stage.apply(frame, [found], None, None)
    return frame, found


def reading(found: Finding) -> Reading:
    assert found.node is not None
    return found.node


def record(frame: Frame, found: Finding) -> dict[str, Any]:
    result = FrameResult(
        frame.index, 0, SourceState.RUNNING, AiState.ON, (found,), shown_ns=1_000_000, exam=Exam.AXILLA, model="0" * 64
    )
    written = to_record(frame, result)
    jsonschema.validate(written, json.loads(schema_path("findings-1").read_text()))
    assert written["exam"] == "axilla"
    (line,) = written["findings"]
    return dict(line)


def test_a_node_is_read_after_three_looks_and_says_why_before() -> None:
    _, early = read(looks=2)
    assert reading(early).values[CORTEX] == Unknown("too few looks")
    _, found = read()
    assert reading(found).values["pattern"] == "focal bulge"


def test_the_numbers_are_the_means_over_the_looks() -> None:
    _, frame, found = phantom(FOCAL)
    _, other_frame, other = phantom(FOCAL + 6)
    opinion, seen = ReadNode(), ReadNode().begin()
    opinion.look(frame, found, None, seen)
    opinion.look(other_frame, other, None, seen)
    expected = np.mean([look(*pair)[0][CORTEX] for pair in ((frame, found), (other_frame, other))])
    assert np.isclose(float(opinion.value(seen).values[CORTEX]), float(expected))  # type: ignore[arg-type]


def test_findings_say_which_criteria_were_met_with_value_threshold_and_source() -> None:
    written = record(*read())
    node = written["node"]
    met = {each["name"]: each["met"] for each in node["criteria"]}
    assert met["focal bulge"] is True
    assert all(each["source"] and each["threshold"] and each["number"] in node for each in node["criteria"])
    assert node["criteria_met"].endswith("of 5 criteria")
    assert len(node["hilum_outline"]) > 10
    assert len(node["thickest"]) == 2


def test_findings_of_a_lesion_say_nothing_of_nodes() -> None:
    frame, found = read()
    lesion = replace(found, kind=FindingKind.LESION)
    assert "node" not in record(frame, lesion)
    assert label_text(lesion) == "#4 0.80"


def test_the_label_has_the_thickness_only_with_a_scale() -> None:
    _, found = read()
    assert label_text(found).startswith("node #4 0.80  cortex ")
    assert " mm  " in label_text(found)
    _, bare = read(scaled=False)
    assert label_text(bare) == "node #4 0.80  cortex n/a  1 of 4 criteria, 1 unknown"


def test_only_a_sites_calibrated_classifier_calls_a_node_suspicious() -> None:
    frame, found = read()
    said = replace(found, node_class=Assessment("ours", 0.9, 0.5))
    assert label_text(said).endswith("classifier 0.90 suspicious")
    assert not label_text(replace(found, node_class=Assessment("ours", 0.3, 0.5))).endswith("suspicious")
    hidden = replace(found, node_class=Assessment("node-phantom", 0.9, 0.5, "trained on phantoms"))
    assert label_text(hidden) == label_text(found)
    written = record(frame, hidden)["node_class"]
    assert written["suspicious"] is None
    assert written["hidden"] == "trained on phantoms"


def test_the_inside_is_drawn_while_it_was_seen_lately_and_not_later() -> None:
    frame, found = read()
    sketch = reading(found).sketch
    assert sketch is not None
    at = np.rint(sketch.placed(found.box)[0]).astype(int)

    def drawn(pts_ns: int, unseen: int = 0) -> bool:
        now = replace(frame, pts_ns=pts_ns)
        one = replace(found, unseen=unseen)
        result = FrameResult(0, 0, SourceState.RUNNING, AiState.ON, (one,), shown_ns=1)
        plain = FrameResult(0, 0, SourceState.RUNNING, AiState.ON, (replace(one, node=None),), shown_ns=1)
        pictures = [Overlay().draw(now, each, HUD).pixels.copy() for each in (result, plain)]
        differs = pictures[0][: frame.height] != pictures[1][: frame.height]
        return bool(differs[at[:, 1], at[:, 0]].mean() > 0.5)

    assert drawn(frame.pts_ns)
    assert drawn(frame.pts_ns + 300_000_000)
    assert not drawn(frame.pts_ns + 500_000_000)
    assert not drawn(frame.pts_ns, unseen=1)
