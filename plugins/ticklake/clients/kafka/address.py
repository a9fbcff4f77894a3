"""A look at a broker's address, for what librdkafka does not tell: does it answer, speak TLS, show a good certificate?"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

_SECONDS = 3.0
_ADDRESSES = 2  # a few brokers that do not answer must not take longer than the task's own patience
_SASL_HANDSHAKE, _OTHER_MECHANISM = 17, 33  # of Kafka's protocol: a request, and an error that answers it
_EXPIRED, _NOT_YET, _WRONG_HOST, _WRONG_ADDRESS = 10, 9, 62, 64  # X509_V_ERR_… of OpenSSL
# A client without a certificate, or with a refused one, gets an alert once it reads.
_ABOUT_US = ("CERTIFICATE_REQUIRED", "CERTIFICATE_UNKNOWN", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED", "UNKNOWN_CA")


class Found(NamedTuple):
    """What is wrong at an address, a sentence, and the setting to change."""

    words: str
    remedy: str


def diagnose(connection: Mapping[str, Any], suspect: str | None = None) -> Found | None:
    """What keeps a client from the brokers; None when nothing is wrong that can be seen from here.

    Args:
        connection: settings of librdkafka.
        suspect: ``host:port`` that the client complained of; None: the first bootstrap servers are looked at.
    """
    servers = str(connection.get("bootstrap.servers") or "").split(",")
    places = [suspect] if suspect else [server.strip() for server in servers[:_ADDRESSES]]
    for place in places:
        host, _, port = place.rpartition(":")
        if host and port.isdigit() and (found := _look(connection, host.strip("[]"), int(port))):
            return found
    return None


def _look(connection: Mapping[str, Any], host: str, port: int) -> Found | None:
    protocol = str(connection.get("security.protocol", "PLAINTEXT")).upper()
    place = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), _SECONDS) as plain:
            plain.settimeout(_SECONDS)
            if protocol.endswith("SSL"):
                return _tls(plain, connection, host, place, protocol)
            return _unspoken_sasl(plain, place, protocol) or _unwanted_tls(host, port, protocol)
    except OSError as e:
        return Found(
            f"{place} does not answer: {e.strerror or e}.",
            "Are the brokers up, and does bootstrap.servers name their addresses?",
        )


def _unwanted_tls(host: str, port: int, protocol: str) -> Found | None:
    # Who it is does not matter here: nothing is sent.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), _SECONDS) as plain:
            context.wrap_socket(plain).close()
    except OSError:
        return None
    better = "SASL_SSL" if protocol.startswith("SASL") else "SASL_SSL (with a password) or SSL"
    return Found(
        f"{host}:{port} speaks TLS, and security.protocol is {protocol}.", f"Set security.protocol to {better}."
    )


def _tls(plain: socket.socket, connection: Mapping[str, Any], host: str, place: str, protocol: str) -> Found | None:
    try:
        context = _context(connection)
    except (OSError, ValueError) as e:
        return Found(f"the certificates cannot be read: {e}.", "Check ssl.ca.location and ssl.certificate.location.")
    try:
        with context.wrap_socket(plain, server_hostname=host) as secured:
            found = _unspoken_sasl(secured, place, protocol)
            if not found:
                _await_alert(secured)
            return found
    except ssl.SSLCertVerificationError as e:
        return _untrusted(e, connection, place)
    except ssl.SSLError as e:
        if e.reason and any(word in e.reason for word in _ABOUT_US):
            return Found(
                f"{place} did not take the client's certificate ({e.reason.lower().replace('_', ' ')}).",
                "Check ssl.certificate.location and ssl.key.location: is it there, still valid, and of an authority that the"
                " brokers trust?",
            )
        return Found(f"{place} does not speak TLS ({e.reason}).", "Check security.protocol, and the port.")


def _await_alert(secured: ssl.SSLSocket) -> None:
    """Nothing is asked, so all that may come is an alert about the client's certificate, as an error."""
    secured.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        secured.recv(1)


def _unspoken_sasl(connected: socket.socket, place: str, protocol: str) -> Found | None:
    """Whether the listener asks for a password, of a client that has none: asked for its mechanisms it tells them."""
    if protocol.startswith("SASL"):
        return None
    request = struct.pack(">hhihh5s", _SASL_HANDSHAKE, 1, 0, -1, 5, b"PLAIN")
    connected.sendall(struct.pack(">i", len(request)) + request)
    try:
        answer = connected.recv(10)
    except (TimeoutError, ConnectionError):
        return None
    if len(answer) < 10 or struct.unpack(">h", answer[8:])[0] not in (0, _OTHER_MECHANISM):
        return None
    better = "SASL_SSL" if protocol == "SSL" else "SASL_PLAINTEXT"
    return Found(
        f"{place} asks for a user and a password, and security.protocol is {protocol}.",
        f"Set security.protocol to {better}, and sasl.mechanism, sasl.username and sasl.password.",
    )


def _context(connection: Mapping[str, Any]) -> ssl.SSLContext:
    authority = connection.get("ssl.ca.location")
    context = ssl.create_default_context(cafile=None if authority in (None, "probe") else authority)
    context.check_hostname = connection.get("ssl.endpoint.identification.algorithm", "https") != "none"
    if str(connection.get("enable.ssl.certificate.verification", True)).lower() == "false":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate := connection.get("ssl.certificate.location"):
        password = connection.get("ssl.key.password")
        context.load_cert_chain(certificate, connection.get("ssl.key.location"), lambda: password or "")
    return context


def _untrusted(error: ssl.SSLCertVerificationError, connection: Mapping[str, Any], place: str) -> Found:
    subject = f"the certificate of {place}"
    if error.verify_code in (_EXPIRED, _NOT_YET):
        state = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        return Found(f"{subject} {state}.", "Renew it at the broker (ssl.keystore), or set the machine's clock.")
    if error.verify_code in (_WRONG_HOST, _WRONG_ADDRESS):
        return Found(
            f"{subject} is for another host: {error.verify_message}",
            "Name the brokers in bootstrap.servers, and in their advertised.listeners, as their certificates do.",
        )
    authority = connection.get("ssl.ca.location", "the machine's own list")
    return Found(
        f"{subject} is of an authority that is not in {authority}: {error.verify_message}.",
        "Set ssl.ca.location to the certificate of the authority that signed it.",
    )
