"""What an ONNX file brings with it, so that it runs alone as it does under its name in the manifest.

`edge-us models build` writes it into the files that it makes: one made from another is the same model, with the same
threshold, grey input, classifier and rights. `models/recipes/export.py` writes it where it is told a threshold. All of
it stands in the file's metadata, because files are copied alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_us.errors import ModelError
from edge_us.inference.backend import Precision

PREFIX = "edge_us."
QUANTIZED_OPERATOR = b"QuantizeLinear"
"""An ONNX file names its operators in clear. ``DequantizeLinear`` alone (quantised weights, float arithmetic) does not
hold this text: its q is small."""
REBUILD_HINT = "Make the file anew with `edge-us models build`, or with the recipe that exports it."


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a file keeps of the model that it is, or was made from; fields as in `model.Model`."""

    is_grey: bool
    threshold: float
    mask_threshold: float
    licence: str
    data_rights: str
    classifier: str | None

    def as_metadata(self, precision: Precision, source_sha256: str | None = None) -> dict[str, str]:
        """Key and value pairs for the ONNX file.

        Parameters
        ----------
        precision : Precision
            That lies in the file.
        source_sha256 : str, optional
            Of the ONNX file that it was made from, if it was.
        """
        entries = {"precision": precision.value, "source_sha256": source_sha256, **asdict(self)}
        return {f"{PREFIX}{key}": str(value) for key, value in entries.items() if value is not None}


def inherited(path: Path, metadata: Mapping[str, str]) -> Inherited | None:
    """What stands in a file's metadata; None where there is nothing of ours.

    Raises
    ------
    ModelError
        Such metadata are there, but not whole or not what they should be.
    """
    own = {key.removeprefix(PREFIX): value for key, value in metadata.items() if key.startswith(PREFIX)}
    if not own:
        return None
    try:
        found = Inherited(
            is_grey={"True": True, "False": False}[own["is_grey"]],
            threshold=float(own["threshold"]),
            mask_threshold=float(own["mask_threshold"]),
            licence=own["licence"],
            data_rights=own["data_rights"],
            classifier=own.get("classifier"),
        )
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path} has metadata {PREFIX}* that cannot be used: {error}", REBUILD_HINT) from None
    if not (0 < found.threshold < 1 and 0 < found.mask_threshold < 1):
        raise ModelError(f"{path} has a threshold that is not between 0 and 1 in its metadata", REBUILD_HINT)
    return found


def stored_precision(path: Path, metadata: Mapping[str, str]) -> Precision:
    """Precision that lies in the file: as its metadata say, else INT8 where activations are quantised, else FP32."""
    said = metadata.get(f"{PREFIX}precision")
    if said in (Precision.FP32.value, Precision.FP16.value, Precision.INT8.value):
        return Precision(said)
    return Precision.INT8 if QUANTIZED_OPERATOR in path.read_bytes() else Precision.FP32
