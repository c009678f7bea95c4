"""The recording behind a bundle, by hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge_us.capture.uri import Scheme, parse_source, without_credentials
from edge_us.errors import InputError

BLOCK = 1024 * 1024


def hash_of_source(source: str) -> str:
    """sha256 of everything that a recording's frames come from.

    A file's is that of its bytes, as ``sha256sum`` prints it. A folder of stills: over names and hashes of all of its
    files; a MetaImage header's data file counts with it; a phantom's is over its text and its generator's version.
    """
    from edge_us.phantom.spec import GENERATOR_VERSION

    parsed = parse_source(source)
    if parsed.scheme is Scheme.PHANTOM:
        return hashlib.sha256(f"{parsed.target} {GENERATOR_VERSION}".encode()).hexdigest()
    path = Path(parsed.target)
    if parsed.scheme is Scheme.IMAGES and path.is_dir():
        return _of_all(sorted(each for each in path.iterdir() if each.is_file()))
    if parsed.scheme is Scheme.METAIMAGE and path.suffix.lower() == ".mhd":
        return _of_all(sorted(each for each in path.parent.glob(f"{path.stem}.*") if each.is_file()))
    return _of(path)


def find_original(source: str, sha256: str, given: str | None) -> str:
    """Where the recording is: as ``given``, else as it was named then.

    Raises
    ------
    InputError
        It is not there, or is another one.
    """
    where = given or source
    shown = without_credentials(where)
    hint = "Say where it is now: edge-us replay BUNDLE --source FILE"
    try:
        there = hash_of_source(where)
    except (InputError, OSError) as error:
        raise InputError(
            f"the recording of the bundle is not at {shown} ({without_credentials(str(error))})", hint
        ) from None
    if there != sha256:
        raise InputError(f"{shown} is another recording than the one of the bundle (sha256 {there[:12]}…)", hint)
    return where


def _of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _of_all(paths: list[Path]) -> str:
    text = "\n".join(f"{_of(path)}  {path.name}" for path in paths)
    return hashlib.sha256(text.encode()).hexdigest()
