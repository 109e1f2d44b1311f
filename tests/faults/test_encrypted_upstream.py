"""A model's server behind TLS and the environment's proxy, seen through a real Retinue."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.faults.harness import Site, client_of
from tests.proxy import Proxy, encrypted, proxying
from tests.scripted import ScriptedUpstream

HI = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for `model.test` that it signed itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "model.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("model.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "model.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def proxy(certificate: Path, upstream: ScriptedUpstream) -> AsyncIterator[Proxy]:
    """A proxy that leads to `model.test`, whose server speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    port = urlsplit(upstream.base_url).port
    assert port
    async with encrypted(port, context) as own, proxying({"model.test": own}) as proxy:
        yield proxy


async def test_https_goes_through_the_proxy_unseen(
    site: Site, proxy: Proxy, certificate: Path, upstream: ScriptedUpstream
) -> None:
    site.configure("https://model.test/v1", retries=0)
    environment = {"https_proxy": proxy.url, "HTTPS_PROXY": None, "no_proxy": None, "NO_PROXY": None}
    async with client_of(await site.serve(**environment, SSL_CERT_FILE=certificate)) as client:
        answer = await client.post("/chat/completions", HI)
        assert answer["choices"][0]["message"]["content"] == "Hello"
    assert proxy.seen == [("CONNECT", "model.test:443")]
    assert len(upstream.requests) == 1


async def test_a_server_that_cannot_be_trusted_is_told_nothing(
    site: Site, proxy: Proxy, upstream: ScriptedUpstream
) -> None:
    site.configure("https://model.test/v1", proxy=proxy.url, retries=0)
    async with client_of(await site.serve()) as client:
        answer = await client.ask("POST", "/chat/completions", HI)
        assert answer.status == 502
    assert proxy.seen == [("CONNECT", "model.test:443")]
    assert upstream.requests == []
