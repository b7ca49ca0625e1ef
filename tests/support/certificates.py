"""Server certificates for the scripted platform, good and bad."""

import ssl
import tempfile
from datetime import UTC, datetime

import trustme


def context(kind: str, ca_file: str) -> ssl.SSLContext:
    """Issue a certificate of that kind, and write the authority that clients should trust."""
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    hosts = ("localhost", "127.0.0.1")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if kind == "self_signed":
        with tempfile.NamedTemporaryFile() as file:
            file.write(stranger.private_key_pem.bytes() + stranger.cert_pem.bytes())
            file.flush()
            server.load_cert_chain(file.name)
        return server
    if kind == "expired":
        old = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
        leaf = authority.issue_cert(*hosts, not_before=old[0], not_after=old[1])
    elif kind == "wrong_host":
        leaf = authority.issue_cert("elsewhere.example")
    else:
        leaf = (stranger if kind == "unknown_ca" else authority).issue_cert(*hosts)
    leaf.configure_cert(server)
    return server
