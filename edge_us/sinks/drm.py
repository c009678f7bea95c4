"""The kernel's display devices: which monitors are plugged in where, for drawing without a desktop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DRM = Path("/sys/class/drm")
_NAMES = {"nvidia": "nvidia-drm", "nv_platform": "nvidia-drm"}
"""DRM's name of a driver, where it is not that of the device: NVIDIA's, on PCI and on Jetson. kmssink knows neither and
opens nothing there unless it is told."""


@dataclass(frozen=True, slots=True)
class Connector:
    """A monitor's place.

    Attributes
    ----------
    number : int
        DRM's id; it counts within a card, so that two cards may have the same.
    driver : str
        DRM's name of its card's driver; empty where the kernel does not say it.
    """

    number: int
    driver: str


def connected_connectors(drm: Path = DRM) -> tuple[Connector, ...]:
    """Connectors that a monitor is plugged into, card by card and by name.

    A card is opened by the name of its driver, which gives the first of that driver: those of a second are left out.

    Parameters
    ----------
    drm : Path
        The kernel's folder of display devices.
    """
    card_of: dict[str, str] = {}
    found = []
    for folder in sorted(drm.glob("card*-*")):
        card = folder.name.partition("-")[0]
        driver = _driver(drm / card)
        try:
            if (folder / "status").read_text().strip() != "connected":
                continue
            number = int((folder / "connector_id").read_text())
        except (OSError, ValueError):
            continue
        if card_of.setdefault(driver, card) == card:
            found.append(Connector(number, driver))
    return tuple(found)


def _driver(card: Path) -> str:
    try:
        name = (card / "device" / "driver").readlink().name
    except OSError:
        return ""
    return _NAMES.get(name, name)
