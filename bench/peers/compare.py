"""Race edge_us against its peers: same clip, same weights, same clock, interleaved rounds.

Usage::

    make peers-env                                    # once: an environment for each peer, in .venv-peers
    python bench/peers/compare.py --json bench/results/peers.json
    python bench/peers/compare.py --weights models/lesion-fast.onnx --weights fast-640.onnx --rounds 5

Three settings: ``own`` leaves everybody's defaults alone, encoder included; ``equal`` has everybody infer in fp32 where
that can be chosen, and hand its pictures to the same H.264 encoder; ``none`` draws and saves nothing to a file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".venv-peers"
PEERS = {
    "edge_us": "run_edge_us.py",
    "ultralytics predict": "run_ultralytics.py",
    "Roboflow InferencePipeline": "run_roboflow.py",
    "FAST": "run_fast.py",
    "plain OpenCV + OpenVINO loop": "run_plain_loop.py",
}
SETTINGS = {
    "own": ("--save", "own"),
    "equal": ("--save", "x264", "--precision", "fp32"),
    "none": ("--save", "none"),
}
TIMEOUT_S = 600
SCHEMA = "edge-us/peers/1"


def python_of(peer: str, given: dict[str, str]) -> str:
    """The interpreter that a peer runs on; edge_us and the plain loop share ours."""
    name = peer.split()[0].lower()
    if name in given:
        return given[name]
    if name in ("edge_us", "plain"):
        return sys.executable
    return str(ENVIRONMENTS / name / "bin" / "python")


def race(peer: str, python: str, clip: Path, weights: Path, setting: str) -> dict[str, Any]:
    """One run of one peer in a process of its own; raises SystemExit with its words where it fails."""
    with tempfile.TemporaryDirectory(prefix="edge-us-peers-") as folder:
        command = [python, str(HERE / PEERS[peer]), "--clip", str(clip), "--weights", str(weights.resolve()),
                   "--folder", folder, *SETTINGS[setting]]  # fmt: skip
        if peer == "FAST" and not os.environ.get("DISPLAY"):
            command = ["xvfb-run", "-a", *command]  # its OpenGL context wants a display
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    # Libraries write colours and banners to standard output, too.
    lines = ["{" + line.partition("{")[2] for line in done.stdout.splitlines() if '{"frames"' in line]
    if done.returncode or not lines:
        raise SystemExit(f"error: {peer} ended with {done.returncode}\n{(done.stderr or done.stdout)[-800:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def summarise(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians; what is no number is that of the last round."""
    numbers = {key: round(statistics.median(each[key] for each in rounds), 2)
               for key, value in rounds[-1].items() if isinstance(value, int | float)}  # fmt: skip
    return {**rounds[-1], **numbers, "fps_of_rounds": [each["fps"] for each in rounds]}


def main() -> None:
    """Read the command line, race, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, action="append", default=[],
                        help="may be repeated; default the demo's phantom clip, and one with five lesions")  # fmt: skip
    parser.add_argument("--weights", type=Path, action="append", default=[], help="ONNX; may be repeated")
    parser.add_argument("--setting", action="append", default=[], choices=list(SETTINGS), help="default all three")
    parser.add_argument("--peer", action="append", default=[], choices=list(PEERS), help="default all")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help="another interpreter")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    given = dict(text.split("=", 1) for text in options.python)
    peers = {peer: python_of(peer, given) for peer in options.peer or PEERS}
    missing = [peer for peer, python in peers.items() if not shutil.which(python)]
    if missing:
        raise SystemExit(f"error: no environment for {', '.join(missing)}\nhint: make peers-env")
    weights = options.weights or [ROOT / "models" / "lesion-fast.onnx"]
    settings = options.setting or list(SETTINGS)
    results: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        clips = options.clip or make_clips(Path(folder))
        for number in range(options.rounds):
            for clip, path, setting, (peer, python) in product(clips, weights, settings, peers.items()):
                found = race(peer, python, clip, path, setting)
                results.setdefault((clip.name, path.name, setting, peer), []).append(found)
                where = f"{clip.name}, {path.name}, {setting}"
                print(f"round {number + 1}: {where}, {peer}: {found['fps']} fps", file=sys.stderr)
    from edge_us.bench.machine import describe_machine

    rows = [{"clip": clip, "weights": name, "setting": setting, "peer": peer, **summarise(rounds)}
            for (clip, name, setting, peer), rounds in results.items()]  # fmt: skip
    report = {"schema": SCHEMA, "machine": describe_machine(), "rounds": options.rounds, "rows": rows}
    print(tables(report))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def tables(report: dict[str, Any]) -> str:
    """A Markdown table for each weights file and setting, with each peer's rate as a share of edge_us's."""
    lines = []
    for table in dict.fromkeys((row["clip"], row["weights"], row["setting"]) for row in report["rows"]):
        rows = [row for row in report["rows"] if (row["clip"], row["weights"], row["setting"]) == table]
        own = next((row["fps"] for row in rows if row["peer"] == "edge_us"), None)
        lines += [f"**{', '.join(table)}**", "",
                  "| | version | precision, encoder | fps | edge_us is | CPU ms a frame | memory, MB | lesions drawn |",
                  "|---|---|---|---|---|---|---|---|"]  # fmt: skip
        for row in rows:
            ratio = "-" if own is None else f"{own / row['fps']:.2f}x"
            lines.append(
                f"| {row['peer']} | {row['version']} | {row['precision']}, {row['encoder']} | {row['fps']:.1f} "
                f"| {ratio} "
                f"| {row['cpu_ms_per_frame']:.1f} | {row['peak_rss_mb']:.0f} | {row['drawn']:.0f} |"
            )
        lines.append("")
    return "\n".join(lines)


def make_clips(folder: Path) -> list[Path]:
    """800x600, 300 frames at 30 fps: the demo's, with one lesion in half of the frames, and one with five lesions."""
    from edge_us.phantom.clip import write_phantom_clip
    from edge_us.phantom.spec import LesionKind, PhantomSpec

    kinds = {"one-lesion.mp4": (LesionKind.BENIGN,), "five-lesions.mp4": (LesionKind.BENIGN, LesionKind.MALIGNANT) * 3}
    for name, lesions in kinds.items():
        write_phantom_clip(PhantomSpec(frames=300, lesions=lesions[:5]), folder / name)
    return [folder / name for name in kinds]


if __name__ == "__main__":
    main()
