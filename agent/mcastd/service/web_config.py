"""Reads the TLS settings for the metrics, in the format of Prometheus's exporters.

What of that format cannot be had here is refused and named: nothing that was to protect is left out
in silence. Certificates are read anew when their files change.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import yaml

from mcastd import files
from mcastd.printable import brief
from mcastd.service.documents import Own, Unread

LARGEST_FILE = 1 << 20

CLIENTS = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
"""`client_auth_type`; a certificate that is asked for and not verified proves nothing."""

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

TLS_KEYS = frozenset(
    {"cert_file", "key_file", "client_auth_type", "client_ca_file", "client_allowed_sans"}
    | {"min_version", "max_version"}
)


T = TypeVar("T")


class WebConfigError(Exception):
    """The file is no good; one line, with file, key and what is allowed."""


class WebConfig:
    """The file, and the context that is made of it."""

    def __init__(self, path: Path) -> None:
        """WebConfigError if it could not be used now."""
        self.path = path
        self._stamp: object = None
        self._context: ssl.SSLContext | None = None
        self._names: frozenset[str] = frozenset()
        self.context()

    def context(self) -> ssl.SSLContext | None:
        """For a connection that comes now; None: without TLS. WebConfigError."""
        stamp = self._stamps()
        if stamp != self._stamp:
            self._context = self._made()
            self._stamp = self._stamps()
        return self._context

    def admits(self, certificate: Own | None) -> bool:
        """Whether the client may ask, by its certificate, which has been verified."""
        if not self._names:
            return True
        names = (certificate or {}).get("subjectAltName", ())
        return any(value in self._names for _, value in names)

    def _stamps(self) -> list[tuple[Path, int]]:
        found = []
        for path in (self.path, *self._files.values()):
            try:
                found.append((path, path.stat().st_mtime_ns))
            except OSError as error:
                raise WebConfigError(f"{path}: {error.strerror}") from None
        return found

    _files: Mapping[str, Path] = {}

    def _made(self) -> ssl.SSLContext | None:
        section = self._section()
        if section is None:
            self._files = {}
            return None
        self._files = self._named_files(section)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._one_of(section, "min_version", VERSIONS, "TLS12")
        if "max_version" in section:
            context.maximum_version = self._one_of(section, "max_version", VERSIONS, "TLS13")
        context.verify_mode = self._one_of(section, "client_auth_type", CLIENTS, "")
        self._names = self._allowed(section)
        wanted = context.verify_mode is not ssl.CERT_NONE
        if wanted != ("client_ca_file" in self._files) or (self._names and not wanted):
            raise self._error("client_ca_file and a client_auth_type that verifies go together")
        self._load_certificates(context)
        return context

    def _named_files(self, section: Unread) -> Mapping[str, Path]:
        for key in ("cert_file", "key_file"):
            if key not in section:
                raise self._error(f"tls_server_config.{key} is needed")
        given = [key for key in ("cert_file", "key_file", "client_ca_file") if key in section]
        return {key: self.path.parent / self._text(section, key) for key in given}

    def _load_certificates(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._files["cert_file"], self._files["key_file"])
            if "client_ca_file" in self._files:
                context.load_verify_locations(self._files["client_ca_file"])
        except OSError as error:  # ssl.SSLError is one
            said = error.strerror or str(error)
            raise self._error(f"its certificates cannot be used: {said}") from None

    def _section(self) -> Unread | None:
        document = self._document()
        for key in document:
            if key != "tls_server_config":
                raise self._error(f"{brief(key)}: not to be had here; only tls_server_config is")
        section = document.get("tls_server_config")
        if section is None:
            return None
        if not isinstance(section, dict):
            raise self._error("tls_server_config: a mapping is needed")
        for key in section:
            if key not in TLS_KEYS:
                allowed = ", ".join(sorted(TLS_KEYS))
                raise self._error(f"tls_server_config.{brief(key)}: not to be had here; {allowed}")
        return section

    def _document(self) -> Unread:
        """The file as YAML has it; an empty one says nothing."""
        try:
            document = yaml.safe_load(files.read(self.path, LARGEST_FILE))
        except OSError as error:
            raise self._error(error.strerror or str(error)) from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise self._error(f"not YAML: {brief(str(error))}") from None
        if document is None:
            return {}
        if not isinstance(document, dict):
            raise self._error("a mapping is needed, with tls_server_config")
        return document

    def _text(self, section: Unread, key: str) -> str:
        value = section.get(key)
        if not isinstance(value, str) or "\0" in value:
            raise self._error(f"tls_server_config.{key} = {brief(value)}: a text is needed")
        return value

    def _one_of(self, section: Unread, key: str, allowed: Mapping[str, T], usual: str) -> T:
        value = section.get(key, usual)
        if not isinstance(value, str) or value not in allowed:
            names = ", ".join(filter(None, allowed))
            raise self._error(f"tls_server_config.{key} = {brief(value)}: allowed is {names}")
        return allowed[value]

    def _allowed(self, section: Unread) -> frozenset[str]:
        names = section.get("client_allowed_sans", [])
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise self._error("tls_server_config.client_allowed_sans: a list of texts is needed")
        return frozenset(names)

    def _error(self, text: str) -> WebConfigError:
        return WebConfigError(f"{self.path}: {text}")
