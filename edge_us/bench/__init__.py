"""Benchmark: the pipeline measured as a user runs it, in processes of its own and interleaved rounds."""
