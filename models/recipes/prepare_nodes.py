"""Put together a YOLO data set of two classes, lesion and node, for the axilla.

Usage::

    python models/recipes/prepare_nodes.py MANIFEST.csv runs/data/all runs/data/nodes

``runs/data/all`` is what ``prepare.py`` wrote: a part of its lesions and normal pictures is taken, as they are. Nodes
are phantoms of every cortical pattern and the manifest's frames flagged ``axilla`` of the same splits; phantom lesions
keep the network from telling nodes by their being synthetic. The same input gives the same data set, byte for byte.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from outlines import Gray, Outline, outlines_of, yolo_line
from prepare import BURNED_IN, cover_burned_in

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from edge_us.nodes.pattern import NodePattern
from edge_us.phantom.lesion import LOOKS, draw_pose
from edge_us.phantom.node import draw_node
from edge_us.phantom.render import PhantomFrame
from edge_us.phantom.spec import LesionKind, Probe
from edge_us.phantom.still import NodeStill, StillSpec, render_node, render_still

NAMES = ("lesion", "node")
LESION, NODE = 0, 1
AXILLA_DRAWS = 8
"""How often each real frame of the axilla is drawn per epoch: there are twenty."""
SIZE = (448, 336)


def phantom(number: int, *, is_node: bool) -> PhantomFrame:
    """One phantom node or lesion, everything about it drawn from its number."""
    rng = np.random.default_rng([number, 23 if is_node else 29])
    probe = Probe.CONVEX if rng.random() < 0.25 else Probe.LINEAR
    depth = float(rng.uniform(30, 50)) * (1.4 if probe is Probe.CONVEX else 1.0)
    width, height = SIZE
    if is_node:
        node = draw_node(rng, list(NodePattern)[number % len(NodePattern)], float(rng.uniform(-9, 9)), depth)
        gain = float(rng.uniform(-6, 6))
        return render_node(NodeStill(node, probe, depth, width, height, gain, number))
    look = LOOKS[list(LesionKind)[number % len(LesionKind)]]
    return render_still(
        StillSpec(look, draw_pose(rng, look, float(rng.uniform(-9, 9)), depth), probe, depth, width, height, number)
    )


def taken(lines: list[str], count: int) -> list[str]:
    """So many of the lines, chosen by their hash: the choice does not depend on their order."""
    return sorted(dict.fromkeys(lines), key=lambda line: hashlib.sha256(line.encode()).hexdigest())[:count]


class Writer:
    """Pictures and labels of one data set."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.lists: dict[str, list[str]] = {"train": [], "val": []}
        self.draws: Counter[str] = Counter()
        for part in self.lists:
            for kind in ("images", "labels"):
                shutil.rmtree(out / kind / part, ignore_errors=True)
                (out / kind / part).mkdir(parents=True)

    def add(
        self, part: str, kind: str, name: str, gray: Gray, found: list[tuple[int, Outline]], draws: int = 1
    ) -> None:
        """One picture with its outlines and their classes."""
        height, width = gray.shape
        cv2.imwrite(str(self.out / "images" / part / f"{name}.png"), gray, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        lines = [f"{label}{yolo_line(outline, width, height)[1:]}\n" for label, outline in found]
        (self.out / "labels" / part / f"{name}.txt").write_text("".join(lines))
        self.lists[part] += [f"./images/{part}/{name}.png"] * draws
        self.draws[f"{part} {kind}"] += draws

    def finish(self, manifest: Path) -> None:
        """Lists, description and summary."""
        for part, lines in self.lists.items():
            (self.out / f"{part}.txt").write_text("".join(line + "\n" for line in lines))
        names = "".join(f"  {number}: {name}\n" for number, name in enumerate(NAMES))
        text = f"path: {self.out.resolve()}\ntrain: train.txt\nval: val.txt\nnames:\n{names}"
        (self.out / "data.yaml").write_text(text, encoding="utf-8")
        summary = {
            "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
            "draws": dict(sorted(self.draws.items())),
        }
        (self.out / "prepared.json").write_text(json.dumps(summary, indent=2) + "\n")


def take_breast(writer: Writer, prepared: Path, part: str, lesions: int, normals: int) -> None:
    """A part of a prepared lesion data set; each picture once."""
    lines = (prepared / f"{part}.txt").read_text().split()
    groups: dict[bool, list[str]] = {True: [], False: []}
    for line in dict.fromkeys(lines):
        label = prepared / "labels" / part / f"{Path(line).stem}.txt"
        groups[bool(label.read_text().strip())].append(line)
    for has_lesion, count in ((True, lesions), (False, normals)):
        for line in taken(groups[has_lesion], count):
            name = Path(line).stem
            for kind, suffix in (("images", "png"), ("labels", "txt")):
                source = prepared / kind / part / f"{name}.{suffix}"
                shutil.copyfile(source, writer.out / kind / part / f"{name}.{suffix}")
            writer.lists[part].append(f"./images/{part}/{name}.png")
            writer.draws[f"{part} breast {'lesion' if has_lesion else 'normal'}"] += 1


def take_axilla(writer: Writer, manifest: Path) -> None:
    """The real frames of the axilla that are not of the test split; what is outlined in them counts as a node."""
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if "axilla" in row["flags"] and row["split"] in writer.lists]
    for row in rows:
        gray = cv2.imread(str(manifest.parent / row["image"]), cv2.IMREAD_GRAYSCALE)
        mask = cv2.imread(str(manifest.parent / row["mask"]), cv2.IMREAD_GRAYSCALE)
        if gray is None or mask is None:
            raise SystemExit(f"{row['image']}: no readable picture with a mask beside {manifest}")
        picture = cover_burned_in(np.asarray(gray, np.uint8), BURNED_IN.get(row["dataset"], ()))
        found = [(NODE, outline) for outline in outlines_of(mask)]
        draws = AXILLA_DRAWS if row["split"] == "train" else 1
        writer.add(row["split"], "axilla", f"axilla__{Path(row['image']).stem}", picture, found, draws)


def take_phantoms(writer: Writer, part: str, first: int, nodes: int, lesions: int) -> None:
    """Phantoms numbered from ``first`` on."""
    for is_node, count in ((True, nodes), (False, lesions)):
        kind = "node" if is_node else "lesion"
        for number in range(first, first + count):
            made = phantom(number, is_node=is_node)
            found = [(NODE if is_node else LESION, each) for mask in made.masks for each in outlines_of(mask)]
            writer.add(part, f"phantom {kind}", f"phantom_{kind}_{number}", made.image, found)


def main() -> None:
    """Read the command line, write the data set, print what it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("prepared", type=Path, help="data set of lesions that prepare.py wrote")
    parser.add_argument("out", type=Path)
    parser.add_argument("--nodes", type=int, default=600, help="phantom nodes to train on")
    parser.add_argument("--lesions", type=int, default=600, help="real lesions to train on")
    parser.add_argument("--normals", type=int, default=200, help="pictures without a lesion")
    options = parser.parse_args()
    writer = Writer(options.out)
    take_breast(writer, options.prepared, "train", options.lesions, options.normals)
    take_breast(writer, options.prepared, "val", 80, 30)
    take_axilla(writer, options.manifest)
    take_phantoms(writer, "train", 0, options.nodes, options.nodes // 4)
    take_phantoms(writer, "val", 100_000, 60, 20)
    writer.finish(options.manifest)
    for key, count in sorted(writer.draws.items()):
        print(f"{key:30s} {count:5d} draws per epoch")


if __name__ == "__main__":
    main()
