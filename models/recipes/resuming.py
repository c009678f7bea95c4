"""Going on after a kill as if there had been none.

Ultralytics' checkpoints hold the moving average in float16 and nothing of the network itself: resumed from them alone,
a run goes on from the average, with rounded moments. So the network, the average and the optimizer are kept beside the
checkpoint as they are, one file an epoch, until the next checkpoint stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from ultralytics.utils.torch_utils import unwrap_model


class EpochOrder:
    """The order of pictures in an epoch, by seed and epoch alone.

    PyTorch's own sampler draws once more when it goes from one epoch to the next, which a resumed run does not. For
    loading in this process only: processes that run ahead ask for the next epoch while the last one is not over.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._trainer.train_loader.dataset)

    def __iter__(self) -> Iterator[int]:
        """Places in the data set, each once."""
        seed = 1000 * int(self._trainer.args.seed) + int(self._trainer.epoch)
        return iter(torch.randperm(len(self), generator=torch.Generator().manual_seed(seed)).tolist())


def write_state(trainer: Any, folder: Path) -> Path:
    """Write network, moving average and optimizer after an epoch; written beside its place and moved there."""
    path = _place(folder, trainer.epoch)
    part = path.with_suffix(".part")
    state = {
        "network": unwrap_model(trainer.model).state_dict(),
        "average": trainer.ema.ema.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
    }
    torch.save(state, part)
    part.replace(path)
    return path


def read_state(trainer: Any, folder: Path, epoch: int) -> bool:
    """Take up the state after this epoch, counted from 0; False where there is none, as in runs of before."""
    path = _place(folder, epoch)
    if not path.exists():
        return False
    state = torch.load(path, map_location=trainer.device, weights_only=True)
    unwrap_model(trainer.model).load_state_dict(state["network"])
    trainer.ema.ema.load_state_dict(state["average"])
    trainer.optimizer.load_state_dict(state["optimizer"])
    return True


def drop_states(folder: Path, keep: Path | None = None) -> None:
    """Delete the states of all epochs but one."""
    for path in folder.glob("state-*.pt"):
        if path != keep:
            path.unlink()


def keep_epochs(results: Path, epochs: int) -> None:
    """Drop rows after so many epochs: a run killed between row and checkpoint does that epoch again."""
    if not results.exists():
        return
    head, *rows = results.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [row for row in rows if int(float(row.split(",")[0])) <= epochs]
    if len(kept) < len(rows):
        part = results.with_suffix(".part")
        part.write_text(head + "".join(kept), encoding="utf-8")
        part.replace(results)


def _place(folder: Path, epoch: int) -> Path:
    return folder / f"state-{epoch}.pt"
