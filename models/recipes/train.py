"""Train a segmentation network on ultrasound from a public start. One command, seeded, resumable.

Usage::

    python models/recipes/train.py --data runs/data/all/data.yaml --start START.safetensors --out runs/fast
    python models/recipes/train.py ... --imgsz 640 --epochs 60 --batch 32 --device 0

Started again with the same options after a kill it goes on from its last epoch, on a CPU with the same draws and
weights as if nothing had happened (`UltrasoundTrainer` says where not quite); after the end it does nothing.
``weights/best.pt`` is the moving average that did best on the `val` split, ``weights/last.pt`` the last one,
``results.csv`` one line per epoch.

Whatever is trained from Ultralytics' weights is under their licence, AGPL-3.0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path
from typing import Any

# What a training loads must be what was asked for: no downloads and no installations on the way.
os.environ.setdefault("YOLO_AUTOINSTALL", "false")

NEWER_OPTIONS = {"hard": 0.0}
"""What a run did whose recipe was written before there was such an option."""


def sha256_of(path: Path) -> str:
    """The file's hash, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def start_checkpoint(start: Path, architecture: str, out: Path) -> Path:
    """Give the trainer a checkpoint that it transfers from.

    A network built from a yaml file and trained at once has no checkpoint and silently starts from scratch, whatever
    was loaded into it. So a bare state dict is loaded in float32, saved as ``start.pt``, and training starts from
    that file.

    Raises
    ------
    SystemExit
        Where the state dict is not of this architecture.
    """
    if start.suffix == ".pt":
        return start
    from safetensors.torch import load_file
    from ultralytics import YOLO

    state = {key: value.float() if value.is_floating_point() else value for key, value in load_file(start).items()}
    model = YOLO(f"{architecture}.yaml", task="segment")
    network: Any = model.model
    own = network.state_dict()
    fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
    lacking = [key for key in own if key not in fitting and not key.endswith("num_batches_tracked")]
    if len(lacking) > 0.02 * len(own):
        raise SystemExit(
            f"{start} is no {architecture}: {len(lacking)} of {len(own)} tensors missing, e.g. {lacking[0]}"
        )
    network.load_state_dict(fitting, strict=False)
    path = out / "start.pt"
    model.save(path)
    return path


def overrides(options: argparse.Namespace, start: Path) -> dict[str, Any]:
    """Ultralytics' settings. What the augmentation does itself is switched off here."""
    cpu = options.device == "cpu"
    return {
        "model": str(start),
        "data": str(options.data.resolve()),
        "save_dir": str(options.out.resolve()),
        "epochs": options.epochs,
        "imgsz": options.imgsz,
        "batch": options.batch,
        "device": options.device,
        "workers": 0 if cpu else options.workers,
        "seed": options.seed,
        # On a CPU the kernels in use are deterministic anyway, and the switch fills every new tensor with NaN.
        "deterministic": not cpu,
        "amp": False if cpu else "bf16",  # on a CPU the trainer does it, see there
        "patience": 0,
        "plots": False,
        "cache": False,
        # AdamW with a short warm-up and a cosine to a hundredth. Accumulating to 64 pictures, the default, would leave
        # a short run with too few steps.
        "optimizer": "AdamW",
        "lr0": options.lr,
        "lrf": 0.01,
        "cos_lr": True,
        "warmup_epochs": 1.0,
        "warmup_bias_lr": 0.0,
        "weight_decay": 0.0005,
        "nbs": max(32, options.batch),
        # Small rotations, both axes scaled alike, left and right exchanged, never up and down.
        "degrees": 8.0,
        "translate": 0.1,
        "scale": 0.35,
        "shear": 0.0,
        "perspective": 0.0,
        "fliplr": 0.5,
        "flipud": 0.0,
        "hsv_h": 0.0,
        "hsv_s": 0.0,
        "hsv_v": 0.0,
        "mosaic": options.mosaic,
        "close_mosaic": max(1, round(options.epochs * 0.3)),
        "mixup": 0.0,
        "copy_paste": 0.0,
    }


def recipe_of(options: argparse.Namespace) -> dict[str, Any]:
    """What makes this run what it is; a resumed run must have the same."""
    prepared = options.data.parent / "prepared.json"
    return {
        "architecture": options.architecture,
        "start_sha256": sha256_of(options.start),
        "data": json.loads(prepared.read_text()) if prepared.exists() else sha256_of(options.data),
        **{key: getattr(options, key) for key in ("epochs", "imgsz", "batch", "seed", "lr", "mosaic", "hard")},
    }


def main() -> None:
    """Read the command line; start, resume, or say that the run is finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data.yaml that prepare.py wrote")
    parser.add_argument("--start", type=Path, required=True, help="state dict (.safetensors) or checkpoint (.pt)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--architecture", default="yolo11n-seg")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=0.001)
    parser.add_argument("--mosaic", type=float, default=0.3, help="probability; none in the last 30 %% of the epochs")
    parser.add_argument("--hard", type=float, default=0.0, help="share of hard, coarse pictures; see augment.py")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    parser.add_argument("--workers", type=int, default=8, help="loading processes on a GPU; the CPU uses none")
    parser.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count() or 1,
        help="on the CPU; on a machine that does other work two runs of one thread do more than one run of two "
        "(2 busy cores, per picture: 43 to 73 ms on one thread, 93 to 189 ms on two)",
    )
    options = parser.parse_args()

    from augment import Settings
    from trainer import UltrasoundTrainer, is_unfinished

    options.out.mkdir(parents=True, exist_ok=True)
    recipe_file = options.out / "recipe.json"
    recipe = recipe_of(options)
    last = options.out / "weights" / "last.pt"
    if last.exists():
        before = NEWER_OPTIONS | (json.loads(recipe_file.read_text()) if recipe_file.exists() else {})
        changed = sorted(key for key in recipe if before.get(key) != recipe[key])
        if changed:
            raise SystemExit(f"{options.out} holds a run with other {', '.join(changed)}: choose another --out")
        if not is_unfinished(last):
            print(f"{options.out} is finished: {last}")
            return
        settings = {"resume": str(last.resolve()), "model": str(last.resolve()), "device": options.device}
        settings |= {"data": str(options.data.resolve()), "save_dir": str(options.out.resolve())}
    else:
        recipe_file.write_text(json.dumps(recipe, indent=2) + "\n")
        settings = overrides(options, start_checkpoint(options.start, options.architecture, options.out))
    UltrasoundTrainer.threads = options.threads
    UltrasoundTrainer.settings = Settings(hard=options.hard)
    UltrasoundTrainer(overrides=settings).train()


if __name__ == "__main__":
    main()
