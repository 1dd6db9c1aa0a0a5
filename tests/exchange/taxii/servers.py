"""TAXII servers for the tests: a real one in a process of its own, and one that does what a test tells it."""

import json
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import NAMESPACE_URL, uuid5

import httpx

MEDIA = "application/taxii+json;version=2.1"
COLLECTION = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
SECOND = "52892447-4d7e-4f70-b94d-d7f22742ff63"
USER, PASSWORD = "analyst", "not-to-be-seen"
ENVIRONMENT = {"COSIGHT_TAXII_USER": USER, "COSIGHT_TAXII_PASSWORD": PASSWORD}


def indicator(number: int, **more: Any) -> dict[str, Any]:
    """An indicator of its own address; the same number, the same indicator."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid5(NAMESPACE_URL, str(number))}",
        "created": "2024-01-01T00:00:00.000Z",
        "modified": "2024-01-01T00:00:00.000Z",
        "pattern": f"[ipv4-addr:value = '8.8.{number // 256}.{number % 256}']",
        "pattern_type": "stix",
        "valid_from": "2024-01-01T00:00:00Z",
    } | more


def collection(name: str, objects: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A collection as medallion keeps it; its objects were added a second after each other."""
    manifest = [
        {
            "id": o["id"],
            "date_added": f"2024-01-02T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}.000000Z",
            "version": o.get("modified", o["created"]),
            "media_type": "application/stix+json;version=2.1",
        }
        for i, o in enumerate(objects)
    ]
    return {
        "id": name, "title": "Threats\x1b[31m of the week", "can_read": True, "can_write": True,
        "media_types": ["application/stix+json;version=2.1"], "objects": objects, "manifest": manifest,
    } | more  # fmt: skip


@dataclass(frozen=True)
class Medallion:
    """A running medallion."""

    origin: str

    def address(self, path: str) -> str:
        return f"taxii+{self.origin}{path}"

    def add(self, *objects: dict[str, Any]) -> None:
        """Add objects to the first collection, as their producer would."""
        done = httpx.post(
            f"{self.origin}/api/collections/{COLLECTION}/objects/",
            json={"objects": list(objects)}, auth=(USER, PASSWORD),
            headers={"Accept": MEDIA, "Content-Type": MEDIA},
        )  # fmt: skip
        assert done.status_code == 202, done.text
        assert done.json()["failure_count"] == 0


@contextmanager
def medallion(folder: Path, *collections: dict[str, Any], page: int = 100) -> Iterator[Medallion]:
    """Start medallion with its memory backend, on a port that it chooses."""
    information = {"title": "API", "versions": [MEDIA], "max_content_length": 1 << 20}
    data = {
        "/discovery": {"title": "A server", "api_roots": ["/api/", "https://elsewhere.example/api/"]},
        "api": {"information": information, "status": [], "collections": list(collections)},
    }
    (folder / "data.json").write_text(json.dumps(data))
    backend = {
        "module": "medallion.backends.memory_backend", "module_class": "MemoryBackend",
        "filename": str(folder / "data.json"),
    }  # fmt: skip
    settings = {"backend": backend, "users": {USER: PASSWORD}, "taxii": {"max_page_size": page}}
    (folder / "medallion.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "medallion.scripts.run", "--port", "0", str(folder / "medallion.json")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            origin = next(
                m[0] for line in process.stderr if (m := re.search(r"http://127\.0\.0\.1:\d+", line))
            )
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield Medallion(origin)
        finally:
            process.kill()


@dataclass
class Reply:
    """What the server says to one request."""

    body: bytes | Iterator[bytes] = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Liar:
    """A server that a test speaks for. Every collection it is asked for may be read, unless the test says no.

    Attributes:
        asked: the requests for objects, by their parameters.
        seen: all requests: path and headers.
        objects: answers a request for objects, from its parameters.
        others: answers by path, before anything else.
    """

    origin: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    objects: Callable[[dict[str, str]], Reply] = lambda _parameters: Reply()
    others: dict[str, Callable[[], Reply]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"taxii+{self.origin}/api/collections/{COLLECTION}/"

    def reply(self, target: str, headers: dict[str, str]) -> Reply:
        url = urlsplit(target)
        self.seen.append((url.path, headers))
        if url.path in self.others:
            return self.others[url.path]()
        if url.path.endswith("/objects/"):
            parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
            self.asked.append(parameters)
            return self.objects(parameters)
        return Reply(json.dumps({"id": COLLECTION, "title": "Threats", "can_read": True}).encode())


def page(*objects: Any, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    """A page of objects."""
    return Reply(json.dumps({"objects": objects, **more}).encode(), headers=headers or {})


def added(first: str, last: str | None = None) -> dict[str, str]:
    """The headers that say when the objects of a page were added."""
    return {"X-TAXII-Date-Added-First": first, "X-TAXII-Date-Added-Last": last or first}


@contextmanager
def liar(tls: ssl.SSLContext | None = None) -> Iterator[Liar]:
    """Start a server in a thread."""
    state = Liar()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            reply = state.reply(self.path, {k.lower(): v for k, v in self.headers.items()})
            self.send_response(reply.status)
            headers = {"Content-Type": MEDIA} | reply.headers
            if isinstance(reply.body, bytes):
                headers = {"Content-Length": str(len(reply.body))} | headers
                pieces = iter([reply.body])
            else:
                headers |= {"Connection": "close"}
                pieces = reply.body
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for piece in pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                self.close_connection = True

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] (clients hang up on liars)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.origin = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
