"""One module for each parser, named as in `fuzz.run.TARGETS`; each ends in a `Target`."""
