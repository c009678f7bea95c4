"""Known weaknesses of what is installed (pip-audit), and what is installed (CycloneDX), for CI and for releases.

``python scripts/audit.py --sbom out/sbom.json`` fails where a package with a known weakness is installed. Where the
service that knows them cannot be reached, it says that nothing was audited, and does not fail.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TIMEOUT_S = 600


def main() -> None:
    """Write the bill of materials, then audit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sbom", type=Path, required=True)
    options = parser.parse_args()
    options.sbom.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cyclonedx_py", "environment", sys.executable, "--output-reproducible"]
    subprocess.run([*command, "-o", str(options.sbom)], check=True, timeout=TIMEOUT_S)
    parts = json.loads(options.sbom.read_text(encoding="utf-8"))["components"]
    print(f"{options.sbom}: {len(parts)} packages")
    sys.exit(tell(audit()))


def audit() -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; None where it could not ask."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--local"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return None
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    return found


def tell(packages: list[dict[str, Any]] | None) -> int:
    """Print the verdict; returns the exit code."""
    audited = [package for package in packages or [] if "skip_reason" not in package]
    if not audited:
        print("warning: nothing was audited: the service of known weaknesses cannot be reached", file=sys.stderr)
        return 0
    weak = [package for package in audited if package["vulns"]]
    print(f"{len(audited)} of {len(packages or [])} packages audited, {len(weak)} with known weaknesses")
    for package in weak:
        for each in package["vulns"]:
            fixed = ", ".join(each["fix_versions"]) or "no version yet"
            print(f"error: {package['name']} {package['version']}: {each['id']}, fixed in {fixed}", file=sys.stderr)
    return 1 if weak else 0


if __name__ == "__main__":
    main()
