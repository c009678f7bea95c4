"""DeckLink output: no card is here, so what is checked is the pipeline, its properties, and the errors."""

from __future__ import annotations

from typing import Any

import pytest

from edge_us.capture.gst import available_elements, load_gst
from edge_us.capture.source import BurnedIn, SourceInfo, SourceKind
from edge_us.config import Mode, RunConfig
from edge_us.errors import MissingDependencyError, PipelineError, UsageError
from edge_us.runtime.build import build_outputs, build_redactor
from edge_us.sinks.decklink import NEEDED, DeckLinkMode, DeckLinkOut, decklink_pipeline
from edge_us.sinks.feed import BackPressure, Feed
from edge_us.sinks.sink import Sees
from tests.sinks.test_display import quarters


def test_pictures_are_fitted_into_the_mode_and_timed_as_they_come() -> None:
    text = decklink_pipeline(1, DeckLinkMode.HD1080P5994)
    assert "do-timestamp=true" in text
    assert "videoscale add-borders=true ! video/x-raw,width=1920,height=1080,pixel-aspect-ratio=1/1" in text
    assert "format=UYVY,colorimetry=bt709" in text
    assert text.endswith("decklinkvideosink name=out device-number=1 mode=1080p5994 video-format=8bit-yuv")
    assert "width=1280,height=720" in decklink_pipeline(0, DeckLinkMode.HD720P50)


@pytest.mark.parametrize("mode", list(DeckLinkMode))
def test_the_real_element_knows_every_mode_and_takes_such_pictures(mode: DeckLinkMode) -> None:
    if "decklinkvideosink" not in available_elements():
        pytest.skip("no element decklinkvideosink")
    gst = load_gst()
    pipeline = gst.parse_launch(decklink_pipeline(2, mode))
    sink = pipeline.get_by_name("out")
    assert (sink.get_property("device-number"), sink.get_property("mode").value_nick) == (2, mode.value)
    width, height = mode.size
    caps = gst.Caps.from_string(
        f"video/x-raw,format=UYVY,width={width},height={height},pixel-aspect-ratio=1/1,colorimetry=bt709,"
        "interlace-mode=progressive,framerate=30/1"
    )
    assert caps.can_intersect(sink.get_static_pad("sink").query_caps(None))


def test_what_would_reach_the_card_has_its_size_shape_and_range() -> None:
    """The same pipeline with an appsink in the card's place."""
    text = decklink_pipeline(0, DeckLinkMode.HD720P60)
    text = text[: text.index("decklinkvideosink")] + "appsink name=out sync=false"
    feed = Feed(text, "stand-in for a card", BackPressure.DROP)
    _, picture = quarters(320, 240)
    feed.push(picture, None, 30.0)
    sample = feed.element("out").try_pull_sample(5_000_000_000)
    assert sample is not None
    data = sample.get_buffer().extract_dup(0, 1280 * 720 * 2)
    assert sample.get_buffer().pts < 5_000_000_000, "stamped by the pipeline's clock"
    feed.stop()
    luma = [data[(360 * 1280 + x) * 2 + 1] for x in (0, 100, 1180, 1279)]
    assert luma == [16] * 4, "black bars of limited range left and right"
    assert all(16 < data[(row * 1280 + x) * 2 + 1] < 235 for row in (10, 700) for x in (170, 1100))


def test_without_the_plugin_or_without_a_card_the_error_says_what_to_do() -> None:
    with pytest.raises(MissingDependencyError, match="decklinkvideosink") as missing:
        DeckLinkOut(0, DeckLinkMode.HD1080P60, elements=set(NEEDED) - {"decklinkvideosink"})
    assert "gstreamer1.0-plugins-bad" in missing.value.hint
    if "decklinkvideosink" not in available_elements():
        pytest.skip("no element decklinkvideosink")
    with pytest.raises(PipelineError, match="DeckLink output 63") as failed:
        DeckLinkOut(63, DeckLinkMode.HD1080P60)
    assert "1080p60" in failed.value.hint
    assert "--decklink-out" in failed.value.hint


def config(**options: Any) -> RunConfig:
    return RunConfig(source="v4l2:///dev/video0", **options)


def test_a_live_screen_leaves_through_the_card_only_where_somebody_named_its_region() -> None:
    live = SourceInfo("v4l2:///dev/video0", SourceKind.LIVE, burned_in=BurnedIn.ANYWHERE)
    with pytest.raises(UsageError, match="region"):
        build_redactor(config(decklink_out=0), live, None)
    assert not build_redactor(config(decklink_out=0, region="0,0,320,240"), live, None).keeps_all
    assert build_redactor(config(decklink_out=0, record_full_screen=True), live, None).keeps_all
    assert DeckLinkOut.sees is Sees.KEPT


def test_the_options_open_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[int, DeckLinkMode]] = []

    def open_feed(text: str, *_: Any) -> Any:
        opened.append(
            (int(text.split("device-number=")[1].split()[0]), DeckLinkMode(text.split("mode=")[-1].split()[0]))
        )
        raise PipelineError("no card", "")

    monkeypatch.setattr("edge_us.sinks.decklink.Feed", open_feed)
    monkeypatch.setattr("edge_us.sinks.decklink.available_elements", lambda: frozenset(NEEDED))
    with pytest.raises(PipelineError, match="no card"):
        build_outputs(config(decklink_out=1, decklink_mode="720p50"), 30.0, Mode.LIVE)
    assert opened == [(1, DeckLinkMode.HD720P50)]
