"""The manager over https: what it serves with, what it refuses to start with, and what it says about plain http."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.manager.conftest import free_port
from tests.manager.platform.test_process import COMMAND, environment, run
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from nexus.client.dialing import dialed
from nexus.client.errors import ApiError, Unreachable
from nexus.client.transport import Transport
from nexus.kit.settings import SettingsError, load
from nexus.manager.hosts.reached import public_url
from nexus.manager.settings import ManagerSettings

__all__ = ["environment"]


def write_certificate(directory: Path, *names: x509.GeneralName, passphrase: bytes | None = None) -> tuple[Path, Path]:
    """A self-signed certificate for these names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    paths = directory / "cert.pem", directory / "key.pem"
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[0].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(pem, form, lock))
    return paths


LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@asynccontextmanager
async def started(env: Mapping[str, str], log: Path) -> AsyncGenerator[None]:
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*COMMAND, env=env, stdout=file, stderr=file)
    try:
        async with asyncio.timeout(30):
            while "serving" not in log.read_text():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def listen_as_the_client_does(url: str) -> None:
    async with dialed(Transport(url=url), "/v1/events", {}, ping_timeout_s=None):
        pass


async def when_up(client: httpx.AsyncClient) -> httpx.Response:
    async with asyncio.timeout(20):
        while True:
            try:
                return await client.get("/health/live")
            except httpx.ConnectError:
                await asyncio.sleep(0.05)


async def test_with_a_certificate_the_public_port_speaks_https_alone_and_the_local_one_plain_http(
    environment: dict[str, str], short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = write_certificate(short_tmp, LOOPBACK)
    local = f"127.0.0.1:{free_port()}"
    env = environment | {
        "MANAGER_TLS_CERT": str(certificate),
        "MANAGER_TLS_KEY": str(key),
        "MANAGER_LOCAL_BIND": local,
    }
    bind = environment["MANAGER_BIND"]
    trusting = ssl.create_default_context(cafile=certificate)
    async with started(env, short_tmp / "log"):
        async with httpx.AsyncClient(base_url=f"https://{bind}", verify=trusting, trust_env=False) as client:
            assert (await when_up(client)).status_code == 200
            login = {"username": "root", "password": "root"}
            answer = await client.post("/v1/auth/login", json=login)
            assert "Secure" in answer.headers["set-cookie"]
        async with httpx.AsyncClient(base_url=f"http://{local}", trust_env=False) as client:
            assert (await when_up(client)).status_code == 200
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(f"http://{bind}/health/live")
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                await client.get(f"https://{bind}/health/live")
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"wss://{bind}/v1/events", ssl=trusting, proxy=None):
                pass
        assert refused.value.response.status_code == 401
        with pytest.raises(Unreachable, match="certificate"):
            await listen_as_the_client_does(f"https://{bind}")
        monkeypatch.setenv("NEXUS_CA_FILE", str(certificate))
        with pytest.raises(ApiError) as not_signed_in:
            await listen_as_the_client_does(f"https://{bind}")
        assert not_signed_in.value.status == 401
        outdated = ssl.create_default_context(cafile=certificate)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            outdated.maximum_version = ssl.TLSVersion.TLSv1_1
        async with httpx.AsyncClient(verify=outdated, trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"https://{bind}/health/live")


async def test_plain_http_beyond_loopback_is_warned_of(environment: dict[str, str], short_tmp: Path) -> None:
    await run("set-password", env=environment, stdin=b"a better password\n")
    port = environment["MANAGER_BIND"].rpartition(":")[2]
    log = short_tmp / "log"
    for bind, is_warned in ((f"0.0.0.0:{port}", True), (f"127.0.0.1:{port}", False)):
        async with started(environment | {"MANAGER_BIND": bind}, log):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                await when_up(client)
            assert ("passwords_and_credentials_unprotected" in log.read_text()) is is_warned


async def test_a_certificate_that_cannot_be_used_is_one_clear_line(
    environment: dict[str, str], short_tmp: Path
) -> None:
    (short_tmp / "one").mkdir()
    (short_tmp / "other").mkdir()
    certificate, key = write_certificate(short_tmp / "one", LOOPBACK)
    _, other_key = write_certificate(short_tmp / "other", LOOPBACK)
    for cert_file, key_file, says in (
        (certificate, other_key, "belong together"),
        (key, key, "belong together"),
        (certificate, short_tmp / "nothing", "cannot read"),
    ):
        env = environment | {"MANAGER_TLS_CERT": str(cert_file), "MANAGER_TLS_KEY": str(key_file)}
        code, _, err = await run(env=env)
        assert (code, err.count("\n")) == (1, 1), err
        assert says in err
    write_certificate(short_tmp / "one", LOOPBACK, passphrase=b"secret")
    code, _, err = await run(env=environment | {"MANAGER_TLS_CERT": str(certificate), "MANAGER_TLS_KEY": str(key)})
    assert (code, "no passphrase" in err) == (1, True), err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"MANAGER_TLS_CERT": "/x"}, "go together"),
        ({"MANAGER_TLS_KEY": "/x"}, "go together"),
        ({"MANAGER_LOCAL_BIND": "0.0.0.0:18082"}, "must be on loopback"),
        ({"MANAGER_LOCAL_BIND": "127.0.0.1:0"}, "between 1 and 65535"),
        ({"MANAGER_PUBLIC_URL": "manager.lab"}, "MANAGER_PUBLIC_URL"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], says: str
) -> None:
    for name, value in ({"DATABASE_URL": "postgresql:///nexus"} | given).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=says):
        load(ManagerSettings, config=None)


@pytest.mark.parametrize(
    ("names", "url"),
    [
        ([x509.DNSName("*.lab"), x509.DNSName("nexus.lab"), LOOPBACK], "https://nexus.lab:18080"),
        ([LOOPBACK], "https://127.0.0.1:18080"),
        ([x509.IPAddress(ipaddress.ip_address("2001:db8::1"))], "https://[2001:db8::1]:18080"),
        ([], "https://10.0.0.1:18080"),
        (None, "http://10.0.0.1:18080"),
    ],
)
def test_the_url_for_hosts_is_by_the_certificates_name(
    tmp_path: Path, names: list[x509.GeneralName] | None, url: str
) -> None:
    settings = ManagerSettings.model_validate({"database_url": "postgresql:///nexus", "bind": "10.0.0.1:18080"})
    if names is not None:
        certificate, key = write_certificate(tmp_path, *names)
        settings = settings.model_copy(update={"tls_cert": certificate, "tls_key": key})
    assert public_url(settings) == url
    set_by_hand = settings.model_copy(update={"public_url": "https://elsewhere"})
    assert public_url(set_by_hand) == "https://elsewhere"
