"""`Overlay`: composes the picture that recording and display show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_us.colour import to_i420
from edge_us.finding import Finding, FindingKind, FrameResult
from edge_us.frame import Colorimetry, Frame, Rect
from edge_us.overlay.details import MOST_SHARE, block_mask, chosen, detail_lines, place_block
from edge_us.overlay.hud import Layout, Severity, hud_rows, layout_for, may_draw
from edge_us.overlay.labels import place_label
from edge_us.overlay.node import assessed, draw_inside, node_words, reading_of
from edge_us.overlay.outline import Pen, draw_outline, polygon_of
from edge_us.overlay.picture import Hud, Picture
from edge_us.overlay.planes import WHITE, Planes
from edge_us.overlay.text import line_height, text_mask

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Blue, green, red. Yellow and blue differ for every common kind of colour vision, and neither occurs in grey tissue.
_KIND_COLOURS = {FindingKind.LESION: (0, 214, 255), FindingKind.NODE: (255, 190, 80)}
_STATUS_COLOURS = {
    None: WHITE,
    Severity.WARNING: (60, 190, 255),
    Severity.ERROR: (100, 110, 255),
}


class Overlay:
    """Draws findings, HUD and the research-use notice into the planes that the encoder takes.

    One frame is copied once into a buffer that is reused for the next; all drawing happens inside small regions
    of it. Use one `Overlay` per stream: it remembers where labels stood, so that they do not jump.
    """

    def __init__(self) -> None:
        self._picture: Picture | None = None
        self._planes: Planes | None = None
        self._places: dict[int, int] = {}
        self._detailed: int | None = None
        self._corner: int | None = None

    def draw(self, frame: Frame, result: FrameResult, hud: Hud, selected: int | None = None) -> Picture:
        """Compose one picture.

        Nothing is drawn over the image unless ``result.ai_state`` allows it and the result's age is known
        (``result.shown_ns`` set): a result never appears on another frame without its age being known.

        Parameters
        ----------
        frame : Frame
            Any format and size; not modified.
        result : FrameResult
        hud : Hud
        selected : int, optional
            The track whose details are shown; by default the largest lesion's.

        Returns
        -------
        Picture
            Valid until the next call.
        """
        planes, picture = self._copy(frame)
        layout = layout_for(picture.width, picture.height)
        findings = result.findings if may_draw(result) else ()
        # HUD and notice come after the contours: nothing may cover the notice.
        self._draw_outlines(planes, findings, frame.pts_ns)
        area = self._write_hud(planes, layout, result, hud)
        taken = [_around(finding.box, Pen.of(picture.width, picture.height).reach) for finding in findings]
        taken += self._write_details(planes, layout, area, findings, taken, selected)
        self._write_labels(planes, layout, area, findings, taken)
        return picture

    def _copy(self, frame: Frame) -> tuple[Planes, Picture]:
        """Bring the frame's pixels into the reused buffer, as I420."""
        import numpy as np

        pixels, width, height, colorimetry = to_i420(frame)
        planes, picture = self._planes, self._picture
        if (
            planes is None
            or picture is None
            or (picture.width, picture.height, picture.colorimetry) != (width, height, colorimetry)
        ):
            planes, picture = self._allocate(width, height, colorimetry)
        np.copyto(picture.pixels, pixels)
        return planes, picture

    def _allocate(self, width: int, height: int, colorimetry: Colorimetry) -> tuple[Planes, Picture]:
        import numpy as np

        buffer = np.empty((height * 3 // 2, width), np.uint8)
        self._picture = Picture(buffer, width, height, colorimetry)
        self._planes = Planes.of(buffer, width, height, colorimetry)
        return self._planes, self._picture

    @staticmethod
    def _write_hud(planes: Planes, layout: Layout, result: FrameResult, hud: Hud) -> Rect:
        """Write HUD and notice; returns the area between them, where labels may stand."""
        import numpy as np

        height, width = planes.y.shape
        margin = layout.margin
        y = margin
        for texts, severity in hud_rows(result, hud, layout, width):
            masks: list[NDArray[np.uint8]] = [text_mask(text, layout.font_px) for text in texts]
            row = masks[0] if len(masks) == 1 else np.concatenate(masks, axis=1)
            planes.write(row, margin, y, _STATUS_COLOURS[severity])
            y += line_height(layout.font_px)
        top, bottom = y, height - margin - len(layout.notice) * line_height(layout.notice_px)
        bottom -= bottom & 1
        for number, line in enumerate(layout.notice):
            row_y = bottom + number * line_height(layout.notice_px)
            planes.write(text_mask(line, layout.notice_px), margin, row_y, WHITE)
        return Rect(0, top, width, max(0, bottom - top))

    @staticmethod
    def _draw_outlines(planes: Planes, findings: tuple[Finding, ...], now_ns: int) -> None:
        """Draw contours, callipers where something is measured, and the inside of nodes."""
        height, width = planes.y.shape
        pen = Pen.of(width, height)
        for finding in findings:
            polygon = polygon_of(finding.contour, finding.box)
            draw_outline(planes, polygon, finding.axes, pen, _KIND_COLOURS[finding.kind], finding.unseen > 0)
            draw_inside(planes, finding, now_ns, _KIND_COLOURS[finding.kind])

    def _write_details(
        self,
        planes: Planes,
        layout: Layout,
        area: Rect,
        findings: tuple[Finding, ...],
        taken: list[Rect],
        selected: int | None,
    ) -> list[Rect]:
        """Write the block of one lesion into a free corner; returns where it stands."""
        found = chosen(findings, self._detailed, selected)
        if found is None:
            return []
        self._detailed = found.track
        mask = block_mask(detail_lines(found, "selected" if found.track == selected else "largest"), layout.font_px)
        height, width = mask.shape
        if height * width > MOST_SHARE * planes.y.size:
            return []
        # As far from the picture's edge as all other text.
        inner = Rect(area.x + layout.margin, area.y, max(0, area.width - 2 * layout.margin), area.height)
        placed = place_block((width, height), inner, taken, self._corner)
        if placed is None:
            return []
        place, self._corner = placed
        planes.write(mask, place.x, place.y, _KIND_COLOURS[found.kind])
        return [place]

    def _write_labels(
        self, planes: Planes, layout: Layout, area: Rect, findings: tuple[Finding, ...], taken: list[Rect]
    ) -> None:
        """Write each label where it covers no lesion and nothing else that is ``taken``."""
        height, width = planes.y.shape
        reach = Pen.of(width, height).reach
        places: dict[int, int] = {}
        for finding in findings:
            mask = text_mask(label_text(finding), layout.font_px)
            previous = None if finding.track is None else self._places.get(finding.track)
            placed = place_label((mask.shape[1], mask.shape[0]), finding.box, taken, area, reach + 3, previous)
            if placed is None:
                continue
            label, place = placed
            planes.write(mask, label.x, label.y, _KIND_COLOURS[finding.kind])
            taken.append(label)
            if finding.track is not None:
                places[finding.track] = place
        self._places = places


def label_text(finding: Finding) -> str:
    """Label such as ``#3 0.87``, ``node #4 0.71``; with a scale ``#3 0.87  12.3 x 8.1 mm``; with a classifier's
    probability ``#3 0.87  malignancy 0.31``; of a node that was read ``node #4 0.71  cortex 4.2 mm  2 of 5
    criteria``."""
    parts = [] if finding.kind is FindingKind.LESION else [finding.kind.value]
    if finding.track is not None:
        parts.append(f"#{finding.track}")
    parts.append(f"{finding.score:.2f}")
    reading = reading_of(finding)
    if reading is not None:
        return " ".join((*parts, node_words(reading), *assessed(finding.node_class, "classifier")))
    long, short = (finding.measurements.get(name) for name in ("long_axis_mm", "short_axis_mm"))
    if isinstance(long, float) and isinstance(short, float):
        parts.append(f" {long:.1f} x {short:.1f} mm")
    if isinstance(finding.malignancy, float):
        parts.append(f" malignancy {finding.malignancy:.2f}")
    return " ".join((*parts, *assessed(finding.nodal_risk, "nodal risk")))


def _around(box: tuple[float, float, float, float], reach: int) -> Rect:
    """The pixels that a finding with its contour may touch."""
    x1, y1, x2, y2 = box
    left, top = int(x1) - reach, int(y1) - reach
    return Rect(left, top, int(x2) + reach + 2 - left, int(y2) + reach + 2 - top)
