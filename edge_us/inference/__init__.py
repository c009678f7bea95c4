"""Inference: region crop and letterbox, backends, and decoding of raw heads to findings."""
