"""Train the benign / malignant network on lesion crops, from a detector's backbone. One command, seeded, resumable.

Usage::

    python models/recipes/train_classifier.py MANIFEST.csv --start runs/fast-320/weights/best.pt --out runs/classifier
    python models/recipes/train_classifier.py ... --exclude-dataset busi   # for leave-one-out

The network is the detector's backbone, pooled, with one linear layer; all of it is trained. Crops are cut by the
runtime's own function, with boxes shaken as a detector's boxes are. Data sets and labels are drawn evenly, so that a
scanner cannot stand for a label; the odds of the real mixture go back into the last bias before export. Started again
with the same options a killed run goes on after its last epoch. ``best.pt`` is the moving average with the best AUC on
`val`.
"""

from __future__ import annotations

import argparse
import copy
import csv
import hashlib
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lesion_crops import Sample, augment, draw_weights, read_samples, shake
from numpy.typing import NDArray
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from edge_us.classify.crop import crop

NEWER_OPTIONS = {"head_only": False}
"""What a run did whose recipe was written before there was such an option."""
BACKBONE_LAYERS = 11
"""Of YOLO11: everything before the neck; 1/32 of the input's size."""


class Classifier(nn.Module):  # type: ignore[misc]
    """Backbone, average pooling and one logit; takes grey pictures of 0..1, shape (n, 1, side, side)."""

    def __init__(self, backbone: Sequence[nn.Module]) -> None:
        super().__init__()
        self.backbone = nn.Sequential(*backbone)
        with torch.no_grad():
            channels = self.backbone(torch.zeros(1, 3, 64, 64)).shape[1]
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(channels, 1)

    def forward(self, picture: Any) -> Any:
        """Logit of malignancy, shape (n, 1)."""
        features = self.backbone(picture.expand(-1, 3, -1, -1)).mean(dim=(2, 3))
        return self.head(self.drop(features))


def load_backbone(checkpoint: Path) -> list[nn.Module]:
    """The first layers of a detector that `train.py` wrote."""
    from ultralytics import YOLO

    network: Any = YOLO(checkpoint, task="segment").model
    layers = list(network.model)[:BACKBONE_LAYERS]
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    return [layer.float() for layer in layers]


def batches(samples: Sequence[Sample], side: int, batch: int, rng: np.random.Generator) -> Iterator[tuple[Any, Any]]:
    """One epoch of augmented crops, shape (batch, 1, side, side) in 0..1, with their labels."""
    order = rng.choice(len(samples), size=len(samples), p=draw_weights(samples))
    for start in range(0, len(order) - batch + 1, batch):
        chosen = [samples[int(index)] for index in order[start : start + batch]]
        crops = [augment(crop(each.gray, shake(each.box, rng), side), rng) for each in chosen]
        truth = torch.tensor([[float(each.is_malignant)] for each in chosen])
        yield torch.from_numpy(np.stack(crops)[:, None]).float() / 255, truth


def predict(network: nn.Module, samples: Sequence[Sample], side: int) -> NDArray[np.float64]:
    """Logit of each sample on its labelled box."""
    network.eval()
    device = next(network.parameters()).device
    logits = []
    with torch.no_grad():
        for start in range(0, len(samples), 64):
            crops = np.stack([crop(each.gray, each.box, side) for each in samples[start : start + 64]])
            found = network(torch.from_numpy(crops[:, None]).float().to(device) / 255)
            logits.append(found[:, 0].double().cpu().numpy())
    return np.concatenate(logits)


def auc(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Area under the ROC curve; ties count half."""
    positive, negative = logits[truth], logits[~truth]
    above = (positive[:, None] > negative[None]).mean() + 0.5 * (positive[:, None] == negative[None]).mean()
    return float(above)


def train(options: argparse.Namespace) -> None:
    """Train, or go on, until all epochs are done."""
    torch.set_num_threads(options.threads)
    exclude = frozenset(options.exclude_dataset)
    _note_recipe(options, exclude)
    samples = read_samples(options.manifest, "train", exclude=exclude)
    held_out = read_samples(options.manifest, "val", exclude=exclude)
    truth = np.array([each.is_malignant for each in held_out])
    torch.manual_seed(options.seed)
    network = Classifier(load_backbone(options.start))
    network.backbone.requires_grad_(not options.head_only)
    network.to(options.device)
    groups = [
        {"params": network.backbone.parameters(), "lr": options.lr},
        {"params": network.head.parameters(), "lr": options.lr * 5},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.02)
    average = copy.deepcopy(network)
    per_epoch = len(samples) // options.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [group["lr"] for group in optimiser.param_groups],
        total_steps=per_epoch * options.epochs,
        pct_start=0.15,
    )
    state_file, first, best = options.out / "last.pt", 0, 0.0
    if state_file.exists():
        state = torch.load(state_file, weights_only=False, map_location=options.device)
        for part, name in (
            (network, "network"),
            (average, "average"),
            (optimiser, "optimiser"),
            (schedule, "schedule"),
        ):
            part.load_state_dict(state[name])
        first, best = state["epoch"], state["best"]
    loss_of = nn.BCEWithLogitsLoss()
    for epoch in range(first, options.epochs):
        started, total = time.monotonic(), 0.0
        network.train()
        if options.head_only:
            network.backbone.eval()  # its batch statistics stay the detector's
        rng = np.random.default_rng([options.seed, epoch])
        torch.manual_seed(options.seed * 1000 + epoch)
        for step, (pictures, labels) in enumerate(batches(samples, options.imgsz, options.batch, rng)):
            pictures, labels = pictures.to(options.device), labels.to(options.device)
            with torch.autocast(torch.device(options.device).type, dtype=torch.bfloat16):
                loss = loss_of(network(pictures).float(), labels * 0.9 + 0.05)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
            decay = min(0.998, (1 + epoch * per_epoch + step) / (10 + epoch * per_epoch + step))
            _follow(average, network, decay)
        score = auc(predict(average, held_out, options.imgsz), truth)
        if score > best:
            best = score
            _save(options.out / "best.pt", {"average": average.state_dict(), "auc": score, "epoch": epoch + 1})
        _save(
            state_file,
            {
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "epoch": epoch + 1,
                "best": best,
            },
        )
        row = [epoch + 1, round(total / per_epoch, 4), round(score, 4), round(time.monotonic() - started, 1)]
        with (options.out / "results.csv").open("a", newline="") as file:
            csv.writer(file).writerow(row)
        print("epoch {}: loss {}, val AUC {}, {} s".format(*row), flush=True)
    _report(options, network, samples, exclude)


def _note_recipe(options: argparse.Namespace, exclude: frozenset[str]) -> None:
    """Write down what makes this run what it is; one that is resumed must have the same."""
    recipe = {
        "start_sha256": hashlib.sha256(options.start.read_bytes()).hexdigest(),
        "manifest_sha256": hashlib.sha256(options.manifest.read_bytes()).hexdigest(),
        "excluded": sorted(exclude),
        **{key: getattr(options, key) for key in ("epochs", "imgsz", "batch", "seed", "lr", "head_only")},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    note = options.out / "recipe.json"
    if note.exists():
        before = NEWER_OPTIONS | json.loads(note.read_text())
        if changed := sorted(key for key in recipe if before.get(key) != recipe[key]):
            raise SystemExit(f"error: {options.out} holds a run with other {', '.join(changed)}; choose another --out")
    note.write_text(json.dumps(recipe, indent=1) + "\n")


def _report(
    options: argparse.Namespace, network: Classifier, samples: Sequence[Sample], exclude: frozenset[str]
) -> None:
    """AUC on the data sets that were left out, all pictures; and the file for the runtime."""
    network.to("cpu").load_state_dict(
        torch.load(options.out / "best.pt", weights_only=False, map_location="cpu")["average"]
    )
    for name in sorted(exclude):
        unseen = read_samples(options.manifest, None, datasets=[name])
        found = auc(predict(network, unseen, options.imgsz), np.array([each.is_malignant for each in unseen]))
        print(f"never trained on {name}: AUC {found:.4f} on {len(unseen)} lesions")
    share = float(np.mean([each.is_malignant for each in samples]))
    with torch.no_grad():
        network.head.bias += math.log(share / (1 - share))
    export(network, options.imgsz, options.out / "classifier.onnx")


def export(network: Classifier, side: int, out: Path) -> None:
    """Write the ONNX file: grey input (1, 1, side, side) in 0..1, output one logit."""
    import onnx

    network.eval()
    picture = torch.zeros(1, 1, side, side)
    torch.onnx.export(
        network,
        (picture,),
        out,
        input_names=["crop"],
        output_names=["malignancy_logit"],
        opset_version=17,
        dynamo=False,
    )
    graph = onnx.load(out)
    for key, value in (("task", "edge-us/malignancy"), ("names", "['benign', 'malignant']"), ("licence", "AGPL-3.0")):
        graph.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(graph)
    onnx.save(graph, out)
    print(f"{out}: input {side}x{side} px, sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for kept, now in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.mul_(decay).add_(now, alpha=1 - decay)
            else:
                kept.copy_(now)


def _save(path: Path, state: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--start", type=Path, required=True, help="checkpoint of a detector, from train.py")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--exclude-dataset", action="append", default=[], metavar="NAME", help="may be repeated")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--imgsz", type=int, default=160)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.0004)
    parser.add_argument("--head-only", action="store_true", help="train the last layer on the start's features alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu, or cuda:0")
    parser.add_argument("--threads", type=int, default=1, help="on the CPU")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
