"""How large an encoded picture says that it is, before anything decodes it into memory."""

from __future__ import annotations

import io
import warnings

from edge_us.capture.sequence import MAX_FRAME_PIXELS


def is_too_large(data: bytes) -> bool:
    """Whether an encoded picture (JPEG, JPEG 2000, PNG, BMP, TIFF) has more pixels than a frame may have.

    OpenCV would decode a thousand million of them, OpenJPEG any number. Where Pillow does not know the format, or the
    header is damaged, the answer is no: the decoder will say so.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as opened:  # reads the header alone
                width, height = opened.size
    except Image.DecompressionBombError:
        return True
    except Exception:  # Pillow raises many kinds
        return False
    return bool(width * height > MAX_FRAME_PIXELS)
