"""Certificates of an authority of the tests' own, made by openssl(1)."""

from __future__ import annotations

import subprocess
from pathlib import Path


def openssl(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


class Authority:
    """Its certificate is `ca.pem` in the directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", self._key, "-out", self.certificate, "-subj", "/CN=authority", "-days", "2",
        )  # fmt: skip

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate for this name, and its key."""
        key, request = self.directory / f"{name}.key", self.directory / f"{name}.csr"
        made, names = self.directory / f"{name}.pem", self.directory / f"{name}.names"
        names.write_text(f"subjectAltName=DNS:{name}")
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", key, "-out", request, "-subj", f"/CN={name}",
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
            "-CAcreateserial", "-out", made, "-days", "2", "-extfile", names,
        )  # fmt: skip
        return made, key
