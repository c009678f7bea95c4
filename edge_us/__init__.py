"""edge_us: an open edge runtime for breast ultrasound. Research use only, not for diagnosis."""

from edge_us._version import __version__

__all__ = ["__version__"]
