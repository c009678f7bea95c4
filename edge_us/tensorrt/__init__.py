"""TensorRT engines: built from ONNX files, kept with the key that they were built for, loaded where the key fits."""
