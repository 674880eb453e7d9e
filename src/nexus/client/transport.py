"""HTTP for the client: one place where a request becomes an answer, a model or one of three errors.

A request whose connection broke is sent again once where that is safe: reads, and creations, which carry an
`Idempotency-Key` so that the second copy finds the first one's answer.
"""

import os
import ssl
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from nexus.client.errors import ApiError, ClientError, UnexpectedAnswer, Unreachable
from nexus.kit.ids import new_id
from nexus.kit.problems import ProblemBody

M = TypeVar("M", bound=BaseModel)
Query = Mapping[str, object]

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
"""For the answer itself; time the server was asked to wait (`?wait=`) comes on top."""
PAGE_SIZE = 200


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it goes out, for whoever watches (`--debug`)."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Mapping[str, object] | None = None


@dataclass(kw_only=True)
class Transport:
    """A connection to one manager. `watch` sees every call before it is sent, its token included: redact it."""

    url: str
    token: str | None = None
    watch: Callable[[Call], None] = field(default=lambda _call: None)

    @cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.url,
            verify=verification(self.url),
            trust_env=not self.is_local,
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        )

    @property
    def is_local(self) -> bool:
        """Whether the manager is on this machine: a proxy from the environment has no business there."""
        return httpx.URL(self.url).host in ("localhost", "127.0.0.1", "::1")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def close(self) -> None:
        """Close the connection, if there is one."""
        if "_http" in self.__dict__:
            self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
        is_creation: bool = False,
        wait_s: float = 0,
    ) -> httpx.Response:
        """The answer to a request, if it is a success. Raises ApiError or Unreachable."""
        headers = self.headers | ({"Idempotency-Key": str(new_id())} if is_creation else {})
        request = self._http.build_request(
            method,
            path,
            params=_present(query or {}),
            json=body,
            headers=headers,
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S + wait_s, connect=CONNECT_TIMEOUT_S),
        )
        self.watch(Call(method=method, url=str(request.url), headers=headers, body=body))
        answer = self._deliver(request, may_repeat=method == "GET" or is_creation)
        if answer.is_success:
            return answer
        raise refusal(self.url, answer.status_code, answer.content)

    @contextmanager
    def download(
        self, path: str, *, query: Query | None = None, is_patient: bool = False
    ) -> Generator[Iterator[bytes]]:
        """The bytes of a long answer as they come; `is_patient`: however long nothing comes.

        Raises ApiError, and Unreachable also where they end too early."""
        with self.answer(path, query=query, is_patient=is_patient) as answer:
            yield answer.iter_raw()

    @contextmanager
    def answer(self, path: str, *, query: Query | None = None, is_patient: bool = False) -> Generator[httpx.Response]:
        """A long answer, of which only the head is there; as `download`."""
        url = self._http.build_request("GET", path, params=_present(query or {})).url
        self.watch(Call(method="GET", url=str(url), headers=self.headers))
        timeout = httpx.Timeout(None if is_patient else ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        try:
            with self._http.stream("GET", url, headers=self.headers, timeout=timeout) as answer:
                if not answer.is_success:
                    raise refusal(self.url, answer.status_code, answer.read())
                yield answer
        except httpx.TimeoutException as late:
            raise Unreachable(self.url, "no answer in time") from late
        except httpx.HTTPError as failed:
            raise Unreachable(self.url, _reason(failed)) from failed

    def upload(
        self,
        path: str,
        pieces: Iterable[bytes],
        *,
        media_type: str,
        length: int | None = None,
        query: Query | None = None,
    ) -> Any:
        """Send a long body as it comes, `length` bytes if that is known, and get the JSON of the answer, however long
        that takes. Never sent again. Raises ApiError, Unreachable, UnexpectedAnswer, and what `pieces` raises."""
        headers = self.headers | {"Content-Type": media_type}
        headers |= {"Content-Length": str(length)} if length is not None else {}
        request = self._http.build_request(
            "POST",
            path,
            params=_present(query or {}),
            content=pieces,
            headers=headers,
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
        )
        self.watch(Call(method="POST", url=str(request.url), headers=headers))
        answer = self._deliver(request, may_repeat=False)
        if not answer.is_success:
            raise refusal(self.url, answer.status_code, answer.content)
        try:
            return answer.json()
        except ValueError as broken:
            raise UnexpectedAnswer(self.url, f"POST {path} gave no JSON") from broken

    def _deliver(self, request: httpx.Request, *, may_repeat: bool) -> httpx.Response:
        try:
            return self._http.send(request)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as broken:
            if may_repeat:
                return self._deliver(request, may_repeat=False)
            raise Unreachable(self.url, "the connection broke before the answer came") from broken
        except httpx.TimeoutException as late:
            raise Unreachable(self.url, "no answer in time") from late
        except httpx.HTTPError as failed:
            raise Unreachable(self.url, _reason(failed)) from failed

    def json(self, method: str, path: str, **request: Any) -> Any:
        """The JSON body of the answer; see `send`. Raises UnexpectedAnswer too."""
        answer = self.send(method, path, **request)
        try:
            return answer.json()
        except ValueError as broken:
            raise UnexpectedAnswer(self.url, f"{method} {path} gave no JSON") from broken

    def model(self, kind: type[M], method: str, path: str, **request: Any) -> M:
        """The whole answer as a model."""
        return self.read(kind, self.json(method, path, **request), path)

    def item(self, kind: type[M], path: str, **request: Any) -> M:
        """The object in a `{"item": …}` answer."""
        return self.read(kind, self._part(self.json("GET", path, **request), "item", path), path)

    def items(self, kind: type[M], path: str, *, query: Query | None = None, limit: int | None = None) -> Iterator[M]:
        """Every object of a list, page by page as they are asked for, at most `limit`."""
        wanted = dict(query or {})
        left = limit
        while left is None or left > 0:
            wanted["limit"] = min(PAGE_SIZE, left or PAGE_SIZE)
            page = self.json("GET", path, query=wanted)
            found = [self.read(kind, one, path) for one in self._part(page, "items", path)]
            yield from found[:left]
            wanted["cursor"] = page.get("next_cursor")
            if not found or not wanted["cursor"]:
                return
            left = None if left is None else left - len(found)

    def whole(self, kind: type[M], path: str) -> list[M]:
        """Every object of a list that has one page."""
        return [self.read(kind, one, path) for one in self._part(self.json("GET", path), "items", path)]

    def _part(self, answer: Any, key: str, path: str) -> Any:
        if isinstance(answer, dict) and key in answer:
            return answer[key]  # pyright: ignore[reportUnknownVariableType]
        raise UnexpectedAnswer(self.url, f"{path} gave no {key!r}")

    def read(self, kind: type[M], value: Any, path: str) -> M:
        """The answer of `path` as a model. Raises UnexpectedAnswer."""
        try:
            return kind.model_validate(value)
        except ValidationError as broken:
            first = broken.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UnexpectedAnswer(self.url, f"{path}: {where}: {first['msg']}") from broken


def segment(value: object) -> str:
    """One segment of a path, with whatever could end or leave it escaped."""
    return quote(str(value), safe="")


def refusal(url: str, status: int, content: bytes) -> ClientError:
    """The error that an unsuccessful answer means: the platform's own words where it has spoken."""
    try:
        return ApiError(ProblemBody.model_validate_json(content))
    except ValidationError:
        if status in (502, 503, 504):
            return Unreachable(url, f"something in between answered HTTP {status}")
        if status == 404:
            return UnexpectedAnswer(url, "it does not know this endpoint (HTTP 404)")
        return UnexpectedAnswer(url, f"HTTP {status} without an explanation")


def _present(query: Query) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def verification(url: str) -> ssl.SSLContext:
    """What a manager's certificate is held to: this machine's CAs, or NEXUS_CA_FILE.

    Reading the CA certificates takes longer than a request to this machine; plain HTTP needs none."""
    if not url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context(cafile=os.environ.get("NEXUS_CA_FILE"))


def _reason(failed: httpx.HTTPError) -> str:
    cause: BaseException | None = failed
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return str(failed) or type(failed).__name__
