"""The CUDA driver, as far as the GPU backends need it; importing it brings nothing heavy."""
