"""Can this picture be analysed at all? One module per cause, and a `Judge` that keeps the verdict stable."""
