"""Ultralytics' segmentation trainer with ultrasound pictures, resuming as if there had been no kill, and bfloat16 on
the CPU.

Measured for YOLO11n-seg, 16 pictures of 320 px, one thread with AVX512-BF16 on a machine that did other work too, four
variants in turn, two rounds: forward and backward take 84 to 106 ms per picture in float32 and 60 to 74 ms in bfloat16;
channels last adds little on top.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import ultralytics.engine.trainer as engine
from augment import Augmenter, Settings
from geometry import fit
from outlines import Gray
from resuming import EpochOrder, drop_states, keep_epochs, read_state, write_state
from ultralytics.data.dataset import YOLODataset
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.utils.torch_utils import unwrap_model

LEAST_TRANSFERRED = 0.8
"""Share of the start's tensors that must arrive. One class instead of 80 re-initialises the classification branch,
a tenth of all tensors; a start that silently failed transfers none."""

# Pictures are kept this much larger than the network's input, so that cropping does not blur.
_KEEP = 1.4


class UltrasoundDataset(YOLODataset):  # type: ignore[misc]
    """A YOLO data set whose training pictures pass through `Augmenter` before mosaic, rotation and flip."""

    def __init__(self, *args: Any, settings: Settings, seed: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._augmenter = Augmenter(settings, int(self.imgsz), seed)
        self.buffer = list(range(self.ni))  # mosaic takes its other three pictures from all
        self._pictures: dict[str, Gray] = {}  # by file: a picture that is drawn three times is kept once

    def _picture(self, file: str) -> Gray:
        kept = self._pictures.get(file)
        if kept is None:
            gray = cv2.imread(file, cv2.IMREAD_GRAYSCALE)
            if gray is None:
                raise FileNotFoundError(file)
            kept = np.asarray(gray, np.uint8)
            if max(kept.shape) > _KEEP * self.imgsz:
                kept, _ = fit(kept, [], int(_KEEP * self.imgsz))
            self._pictures[file] = kept
        return kept

    def get_image_and_label(self, index: int) -> dict[str, Any]:
        """One picture with its labels; training pictures are augmented, validation pictures are left alone."""
        if not self.augment:
            return dict(super().get_image_and_label(index))
        label = self.labels[index]
        gray = self._picture(label["im_file"])
        size = np.array([gray.shape[1], gray.shape[0]], np.float32)
        outlines = [np.asarray(segment * size, np.float32) for segment in label["segments"]]
        # Python's generator is the one that Ultralytics seeds in every worker and the trainer in every epoch.
        gray, outlines = self._augmenter(gray, outlines, np.random.default_rng(random.getrandbits(63)))
        size = np.array([gray.shape[1], gray.shape[0]], np.float32)
        segments = [np.clip(outline / size, 0, 1) for outline in outlines]
        corners = [np.concatenate([segment.min(axis=0), segment.max(axis=0)]) for segment in segments]
        boxes = np.stack(corners) if corners else np.zeros((0, 4), np.float32)
        boxes = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
        return dict(
            self.update_labels_info(
                {
                    "im_file": label["im_file"],
                    "cls": label["cls"].copy(),
                    "img": cv2.merge([gray, gray, gray]),
                    "ori_shape": gray.shape,
                    "resized_shape": gray.shape,
                    "ratio_pad": (1.0, 1.0),
                    "bboxes": boxes.astype(np.float32),
                    "segments": segments,
                    "keypoints": None,
                    "normalized": True,
                    "bbox_format": "xywh",
                }
            )
        )


class UltrasoundTrainer(SegmentationTrainer):  # type: ignore[misc]
    """Trains on `UltrasoundDataset`; fails loudly where the start did not transfer.

    On a CPU a resumed run does what the uninterrupted one would have done, but for one thing: where two batches make a
    step (``batch`` below 32), a batch that is left over at the end of the epoch before is lost. On a GPU loading
    processes run ahead, and arithmetic differs from run to run.
    """

    last: Path
    best: Path
    settings = Settings()
    threads = os.cpu_count() or 1

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> UltrasoundDataset:
        """Build the data set of one split."""
        return UltrasoundDataset(
            img_path=img_path,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=mode == "train",
            hyp=self.args,
            rect=False,  # validation is letterboxed to the square that the runtime uses
            cache=None,
            stride=max(int(unwrap_model(self.model).stride.max()), 32),
            pad=0.0,
            prefix=f"{mode}: ",
            task="segment",
            data=self.data,
            settings=self.settings,
            seed=self.args.seed,
        )

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> torch.nn.Module:
        """Build the network and check that the start's tensors arrived."""
        model: torch.nn.Module = super().get_model(cfg, weights, verbose)
        if weights is None:
            raise SystemExit("no start was given: training from scratch on so few images is not what this recipe does")
        given = weights.float().state_dict()
        mine = model.state_dict()
        arrived = sum(1 for key, value in mine.items() if key in given and torch.equal(given[key], value))
        print(f"transferred {arrived} of {len(mine)} tensors from the start", flush=True)
        if arrived < LEAST_TRANSFERRED * len(mine):
            raise SystemExit(f"only {arrived} of {len(mine)} tensors came from the start: wrong file or architecture")
        return model

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Move a batch to the device, in the memory layout that is fast there."""
        batch = super().preprocess_batch(batch)
        if self.device.type == "cpu":
            batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def _setup_train(self) -> None:
        super()._setup_train()
        self.add_callback("on_train_epoch_start", seed_epoch)
        if self.train_loader.num_workers == 0:
            self.train_loader.batch_sampler.sampler.sampler = EpochOrder(self)
        if self.device.type == "cpu":
            torch.set_num_threads(self.threads)  # Ultralytics leaves one core idle: half of a small machine
            self.model.to(memory_format=torch.channels_last)
            self.ema.ema.to(memory_format=torch.channels_last)
            network = unwrap_model(self.model)
            network.criterion = _FullPrecision(network.init_criterion())

    def save_model(self) -> bool:
        """Write each checkpoint beside its place and move it there: a kill while writing leaves the last good one."""
        last: Path = self.last
        best: Path = self.best
        state = write_state(self, last.parent)  # first: the checkpoint must never be without it
        self.last, self.best = last.with_suffix(".part"), best.with_suffix(".best.part")
        try:
            saved = bool(super().save_model())
            for part, place in ((self.best, best), (self.last, last)):
                if part.exists():
                    part.replace(place)
            drop_states(last.parent, keep=state)
        finally:
            self.last, self.best = last, best
        return saved

    def resume_training(self, ckpt: dict[str, Any] | None) -> None:
        """Go on after the checkpoint's epoch from the state beside it."""
        super().resume_training(ckpt)
        if ckpt is None or not self.resume:
            return
        keep_epochs(self.csv, self.start_epoch)
        if not read_state(self, self.last.parent, self.start_epoch - 1):
            print("no state beside the checkpoint: going on from its moving average in float16", flush=True)

    def train(self) -> None:
        """Train, on a CPU with bfloat16 instructions in bfloat16."""
        with _bfloat16_on_cpu():
            super().train()
        drop_states(self.last.parent)


def seed_epoch(trainer: Any) -> None:
    """Seed every epoch by its number: a resumed run draws what the uninterrupted one would have drawn."""
    seed = 1000 * int(trainer.args.seed) + int(trainer.epoch)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    generator = getattr(trainer.train_loader, "generator", None)
    if generator is not None:
        generator.manual_seed(seed)


class _FullPrecision:
    """A loss in float32 around a network in bfloat16: eight bits of mantissa are too few for sums over anchors."""

    def __init__(self, criterion: Any) -> None:
        self._criterion = criterion

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_criterion"], name)

    def __call__(self, predictions: Any, batch: dict[str, Any]) -> Any:
        with torch.autocast("cpu", enabled=False):
            return self._criterion(_to_float(predictions), batch)


def _to_float(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _to_float(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_to_float(item) for item in value)
    return value


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively; without that it is slower than float32."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)


@contextmanager
def _bfloat16_on_cpu() -> Iterator[None]:
    """Let the trainer's autocast mean bfloat16 on the CPU, where Ultralytics knows none."""
    original = engine.autocast
    native = cpu_has_bfloat16()

    def autocast(enabled: Any, device: str = "cuda") -> Any:
        if device == "cpu":
            return torch.autocast("cpu", torch.bfloat16, enabled=native)
        return original(enabled, device=device)

    engine.autocast = autocast
    try:
        yield
    finally:
        engine.autocast = original


def is_unfinished(checkpoint: Path) -> bool:
    """Whether a run stopped between two epochs (a finished one has no optimizer in its checkpoint)."""
    if not checkpoint.exists():
        return False
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    return state.get("optimizer") is not None and state.get("epoch", -1) >= 0
