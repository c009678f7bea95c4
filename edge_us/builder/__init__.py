"""Build models: an ONNX file in another precision, calibrated and judged by the runtime's own path."""

from edge_us.builder.build import BuildPrecision, build_model
from edge_us.builder.gate import Gate
from edge_us.builder.pictures import CalibrationSource

__all__ = ["BuildPrecision", "CalibrationSource", "Gate", "build_model"]
