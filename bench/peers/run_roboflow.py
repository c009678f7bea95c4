"""Roboflow inference: `InferencePipeline` over a local model package, drawn with supervision."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

import onnxruntime
from common import THRESHOLD, arguments, measure, open_writer


def package(weights: Path, folder: Path) -> Path:
    """A model package as the library caches it, so that nothing is asked of its servers."""
    place = folder / "cache" / "edge" / "1"
    place.mkdir(parents=True, exist_ok=True)
    (place / "weights.onnx").write_bytes(weights.read_bytes())
    (place / "class_names.txt").write_text("lesion\n")
    _, _, height, width = (
        onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"]).get_inputs()[0].shape
    )
    resize = {"enabled": True, "format": "Fit (grey edges) in", "width": width, "height": height}
    environment = {
        "PREPROCESSING": json.dumps({"resize": resize}),
        "CLASS_LIST": ["lesion"], "COLORS": {"lesion": "#00FFFF"}, "CLASS_MAP": {"0": "lesion"},
    }  # fmt: skip
    (place / "environment.json").write_text(json.dumps(environment))
    (place / "model_type.json").write_text(
        json.dumps({"project_task_type": "instance-segmentation", "model_type": "yolov11-seg"})
    )
    return folder / "cache"


def main() -> None:
    """Run once."""
    options = arguments()
    os.environ["MODEL_CACHE_DIR"] = str(package(options.weights, options.folder))
    os.environ["OFFLINE_MODE"] = "True"
    os.environ["ONNXRUNTIME_EXECUTION_PROVIDERS"] = "[CPUExecutionProvider]"
    os.environ["TELEMETRY_OPT_OUT"] = "True"
    import numpy as np
    import supervision as sv
    from inference import InferencePipeline
    from inference.core.interfaces.camera.entities import VideoFrame
    from inference.models.yolov11.yolov11_instance_segmentation import YOLOv11InstanceSegmentation

    model = YOLOv11InstanceSegmentation(model_id="edge/1", api_key="none")
    for _ in range(3):
        model.infer(np.zeros((600, 800, 3), np.uint8), confidence=THRESHOLD)
    painters = (sv.MaskAnnotator(), sv.BoxAnnotator(), sv.LabelAnnotator())
    state: dict[str, Any] = {"frames": 0, "drawn": 0, "writer": None}

    def infer(frames: list[VideoFrame]) -> list[Any]:
        return list(model.infer([frame.image for frame in frames], confidence=THRESHOLD))

    def show(prediction: Any, frame: VideoFrame) -> None:
        state["frames"] += 1
        found = sv.Detections.from_inference(prediction.model_dump(by_alias=True, exclude_none=True))
        state["drawn"] += len(found)
        picture = frame.image.copy()
        for painter in painters:
            picture = painter.annotate(picture, found)
        if state["frames"] == 1:
            state["writer"] = open_writer(options.save, options.folder, picture.shape[1::-1])
        if state["writer"] is not None:
            state["writer"].write(picture)

    def work() -> tuple[int, int]:
        pipeline = InferencePipeline.init_with_custom_logic(
            video_reference=str(options.clip), on_video_frame=infer, on_prediction=show
        )
        pipeline.start()
        pipeline.join()
        if state["writer"] is not None:
            state["writer"].release()
        return state["frames"], state["drawn"]

    version = f"{importlib.metadata.version('inference-cpu')}, ONNX Runtime {importlib.metadata.version('onnxruntime')}"
    measure(work, version=version, precision="fp32", encoder={"own": "MPEG-4 part 2"}.get(options.save, options.save))
    sys.stdout.flush()
    os._exit(0)  # its threads outlive the pipeline


if __name__ == "__main__":
    main()
