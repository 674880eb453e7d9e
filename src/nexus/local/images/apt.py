"""Downloads packages with the host's apt, but with a state of our own.

Nothing here reads or writes the host's package lists, cache or dpkg status, and nothing needs root: the configuration
made here comes after the host's (`-c`), so its proxy settings hold and its hooks and pins do not. apt verifies what it
downloads against the distribution's keys; what is already in our cache is verified here against the same lists.
"""

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote

from nexus.local.images.errors import ImageBuildError
from nexus.local.images.progress import Progress

_OFFLINE = (
    "Check that this machine reaches its package archive (and that its proxy settings are right), then try again."
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the distribution's archive, at the version its lists offer."""

    name: str
    version: str
    architecture: str
    depends: str
    size_bytes: int
    sha256: str

    @property
    def file_name(self) -> str:
        """The name apt gives the downloaded file: a colon in a version cannot be in a file name."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


class Apt:
    """A private apt state in `directory`, for the sources in `sources` (deb822 text)."""

    def __init__(self, directory: Path, *, sources: str, architecture: str) -> None:
        self._archives = directory / "archives"
        self._empty = directory / "empty"
        self._lists = directory / "lists"
        self._config = directory / "apt.conf"
        self._is_fresh = False
        self.downloaded_bytes = 0
        if '"' in str(directory) or "\n" in str(directory):
            raise ImageBuildError(
                f"apt cannot use the directory {directory}", advice="Choose one without quotes in it."
            )
        for needed in (self._archives, self._empty, self._lists):
            (needed / "partial").mkdir(parents=True, exist_ok=True)
        (directory / "status").touch()
        self.sources_file = directory / "distribution.sources"
        self.sources_file.write_text(sources)
        self._config.write_text(_configuration(directory, architecture))

    def update(self, progress: Progress) -> None:
        """Fetch the package lists, once per object. Older lists serve when the archive cannot be reached.

        Raises ImageBuildError when there are none at all.
        """
        if self._is_fresh:
            return
        progress.stage("fetching the package lists")
        output = self._run(["apt-get", "update"], progress, total=0)
        if not any(self._lists.glob("*Packages*")):
            raise ImageBuildError(f"the package lists could not be fetched:\n{output.errors}", advice=_OFFLINE)
        self.downloaded_bytes += _fetched_bytes(output.text)
        self._is_fresh = True

    def released_at(self) -> int:
        """When the archive's lists were last changed, in Unix seconds: the date of what is made from them."""
        heads = [path.read_text() for path in self._lists.glob("*Release")]
        dates = [match[1] for head in heads if (match := re.search(r"^Date: (.+)$", head, re.MULTILINE))]
        return max(int(parsedate_to_datetime(date.replace("UTC", "+0000")).timestamp()) for date in dates)

    def closure(self, packages: Iterable[str]) -> list[Package]:
        """`packages` and everything they depend on, as apt resolves it on an empty system."""
        # apt leaves out what is in its cache already, so it is shown one that stays empty.
        options = ["-qq", "--no-install-recommends", "--print-uris", "-o", f"Dir::Cache::archives={self._empty}"]
        lines = self._query(["apt-get", *options, "install", *packages]).splitlines()
        files = [match[1] for line in lines if (match := re.match(r"'[^']*' (\S+\.deb) ", line))]
        return self.describe(f"{name}={unquote(version)}" for name, version, _ in (file.split("_") for file in files))

    def describe(self, packages: Iterable[str]) -> list[Package]:
        """What the lists say of each (`name` or `name=version`). Raises ImageBuildError if one is not in them."""
        packages = list(packages)
        if not packages:
            return []
        text = self._query(["apt-cache", "show", "--no-all-versions", *packages])
        return sorted((_package(stanza) for stanza in text.strip().split("\n\n")), key=lambda found: found.name)

    def offers(self, package: str) -> bool:
        """Whether the lists have a package of exactly this name to download."""
        found = self._query(["apt-cache", "policy", package])
        return "Candidate:" in found and "Candidate: (none)" not in found

    def proxies(self) -> dict[str, str]:
        """The host's proxy settings for apt, as environment variables for programs that do not read apt's."""
        found: dict[str, str] = {}
        for scheme in ("http", "https"):
            text = self._query(["apt-config", "dump", f"Acquire::{scheme}::Proxy"])
            if (match := re.search(r'::Proxy "(.+)";', text)) and match[1] != "DIRECT":
                found[f"{scheme}_proxy"] = match[1]
        return found

    def download(self, packages: Sequence[Package], progress: Progress) -> list[Path]:
        """Fetch what the cache lacks; answers with the files, in the order asked. Raises ImageBuildError."""
        missing = [package for package in packages if not self._is_cached(package)]
        total = sum(package.size_bytes for package in missing)
        if missing:
            names = [f"{package.name}={package.version}" for package in missing]
            output = self._run(["apt-get", "download", *names], progress, total=total)
            absent = [package.name for package in missing if not self._is_cached(package)]
            if absent:
                raise ImageBuildError(f"could not download {', '.join(absent)}:\n{output.errors}", advice=_OFFLINE)
            self.downloaded_bytes += total
        return [self._archives / package.file_name for package in packages]

    def _is_cached(self, package: Package) -> bool:
        path = self._archives / package.file_name
        if not path.exists():
            return False
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == package.sha256:
                return True
        path.unlink()
        return False

    def _query(self, arguments: Sequence[str]) -> str:
        done = subprocess.run(
            [arguments[0], "-c", self._config, *arguments[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=_environment(),
            check=False,
        )
        if done.returncode:
            raise ImageBuildError(f"{arguments[0]} failed:\n{done.stderr.strip()}", advice=_OFFLINE)
        return done.stdout

    def _run(self, arguments: Sequence[str], progress: Progress, *, total: int) -> "_Output":
        """Run apt, passing on its progress. Success is for the caller to judge by what is there afterwards."""
        read_end, write_end = os.pipe()
        with (
            os.fdopen(read_end) as status,
            tempfile.TemporaryFile("w+") as text,
            tempfile.TemporaryFile("w+") as errors,
        ):
            try:
                process = subprocess.Popen(
                    [arguments[0], "-c", self._config, "-o", f"APT::Status-Fd={write_end}", *arguments[1:]],
                    cwd=self._archives, stdin=subprocess.DEVNULL, stdout=text, stderr=errors,
                    env=_environment(), pass_fds=(write_end,),
                )  # fmt: skip
            finally:
                os.close(write_end)
            for line in status:
                if total and (match := re.match(r"dlstatus:\d+:([\d.]+):", line)):
                    progress.advance(int(total * min(float(match[1]), 100) / 100), total)
            process.wait()
            text.seek(0)
            errors.seek(0)
            return _Output(text.read(), errors.read().strip())


@dataclass(frozen=True, slots=True)
class _Output:
    text: str
    errors: str


def _configuration(directory: Path, architecture: str) -> str:
    return f"""\
Dir::State "{directory}";
Dir::State::lists "{directory}/lists";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}";
Dir::Cache::archives "{directory}/archives";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Etc::sourcelist "{directory}/distribution.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{architecture}";
#clear APT::Architectures;
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
#clear APT::Default-Release;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "3";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _package(stanza: str) -> Package:
    fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", stanza, re.MULTILINE))
    return Package(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        depends=fields.get("Depends", ""),
        size_bytes=int(fields["Size"]),
        sha256=fields["SHA256"],
    )


def _fetched_bytes(text: str) -> int:
    """The amount in apt's closing line, "Fetched 9415 kB in 1s (12.3 MB/s)"; 0 where everything was up to date."""
    match = re.search(r"^Fetched ([\d.,]+) ([kM]?)B", text, re.MULTILINE)
    return int(float(match[1].replace(",", "")) * {"": 1, "k": 1e3, "M": 1e6}[match[2]]) if match else 0
