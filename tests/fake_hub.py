"""A Hub in memory, behind a real HTTP server on loopback, for the real clients of `huggingface_hub` and `datasets`.

It knows repos with commits and tags, LFS, private repos and tokens, and collections; and, per repo, faults.
"""

import base64
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LFS_SUFFIXES = (".safetensors", ".parquet", ".png", ".bin")
TOKEN = "hf_of_somebody"
USER = "somebody"
TOKENS = {TOKEN: USER, "hf_of_another": "another"}
SECONDS_OF_SILENCE = 60


@dataclass(frozen=True)
class Fault:
    """What goes wrong: with requests whose path `where` matches."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    """Accept the request and never answer."""
    truncate: bool = False
    """Cut the body off in the middle, every time."""
    corrupt: bool = False
    """Flip a bit of the body."""
    trickle: bool = False
    """Send the body byte by byte, until there are no faults any more, and break off then."""
    answer: bytes | None = None
    """Send this instead, as somebody else would who stands in between."""
    where: str = ""


@dataclass
class File:
    content: bytes
    lfs: bool

    @property
    def blob_id(self) -> str:
        pointer = (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()
        )
        blob = pointer if self.lfs else self.content
        return sha1(b"blob %d\0" % len(blob) + blob).hexdigest()

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.blob_id


@dataclass
class Commit:
    oid: str
    title: str
    files: dict[str, File]


@dataclass
class Repo:
    kind: str
    id: str
    private: bool = False
    gated: bool = False
    sdk: str | None = None
    commits: list[Commit] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, changes: dict[str, File | None], title: str) -> Commit:
        files = {**self.commits[-1].files, **changes} if self.commits else changes
        files = {path: file for path, file in files.items() if file is not None}
        oid = sha1(f"{self.kind} {self.id} {len(self.commits)} {title}".encode()).hexdigest()
        self.commits.append(Commit(oid, title, files))
        return self.commits[-1]

    def at(self, revision: str) -> Commit | None:
        oid = self.commits[-1].oid if revision == "main" else self.tags.get(revision, revision)
        return next((commit for commit in self.commits if commit.oid == oid), None)


class FakeHub(ThreadingHTTPServer):
    """`with FakeHub() as hub:` serves at `hub.url`, and records `hub.requests` as "METHOD path"."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repos: dict[tuple[str, str], Repo] = {}
        self.uploads: dict[str, bytes] = {}
        self.collections: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, Fault] = {}
        """By repo id, or by owner."""
        self.lists_checksums = True
        self.requests: list[str] = []
        self.stopping = threading.Event()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address) -> None:
        pass  # clients hang up when they time out

    def add_repo(self, repo_id: str, files: dict[str, bytes] | Path, kind: str = "model", **options) -> Repo:
        """A repo with one commit of `files`, or of all files of a folder."""
        if isinstance(files, Path):
            files = {file.relative_to(files).as_posix(): file.read_bytes() for file in files.rglob("*.*")}
        repo = self.repos[kind, repo_id] = Repo(kind, repo_id, **options)
        self.commit(repo, files)
        return repo

    def commit(self, repo: Repo, files: dict[str, bytes], title: str = "by hand") -> Commit:
        changes = {path: File(content, path.endswith(LFS_SUFFIXES)) for path, content in files.items()}
        return repo.commit(changes, title)

    def fault_of(self, repo_id: str, path: str) -> Fault | None:
        fault = self.faults.get(repo_id) or self.faults.get(repo_id.partition("/")[0])
        return fault if fault and re.search(fault.where, path) else None


class HubError(Exception):
    def __init__(self, status: int, code: str = "", message: str = "", body: Any = None) -> None:
        super().__init__(message)
        self.status, self.body = status, body if body is not None else {"error": message}
        self.headers = {"X-Error-Code": code, "X-Error-Message": message}


ROUTES: list[tuple[str, re.Pattern[str], Callable]] = []
REPO = r"(?P<repo>[^/]+/[^/]+)"
API = rf"/api/(?P<kind>model|dataset|space)s/{REPO}"


def route(method: str, pattern: str):
    def register(function):
        ROUTES.append((method, re.compile(pattern), function))
        return function

    return register


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeHub

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.fault: Fault | None = None
        self.server.requests.append(f"{self.command} {unquote(url.path)}")
        method = "GET" if self.command == "HEAD" else self.command
        try:
            for verb, pattern, function in ROUTES:
                if verb == method and (match := pattern.fullmatch(url.path)):
                    self.repo_fault(match.groupdict().get("repo", ""))
                    if self.fault and self.fault.answer is not None:
                        self.send_content(self.fault.answer, {})
                        return
                    function(self, **{name: value and unquote(value) for name, value in match.groupdict().items()})
                    return
            raise HubError(404, message=f"the fake Hub knows no {method} {url.path}")
        except HubError as error:
            self.send_json(error.body, error.status, error.headers)

    do_HEAD = do_POST = do_PUT = do_GET

    def repo_fault(self, repo_id: str) -> None:
        self.fault = self.server.fault_of(repo_id, self.path)
        if self.fault and self.fault.hang:
            self.server.stopping.wait(SECONDS_OF_SILENCE)
            self.close_connection = True
            raise ConnectionAbortedError
        if self.fault and self.fault.status:
            error = HubError(self.fault.status, message="as the test asked for")
            error.headers = self.fault.headers
            raise error

    @property
    def user(self) -> str | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            return None
        if token not in TOKENS:
            raise HubError(401, message="Invalid credentials in Authorization header")
        return TOKENS[token]

    def writer(self, repo_id: str) -> str:
        if self.user is None:
            raise HubError(401, message="Invalid username or password.")
        if self.user != repo_id.partition("/")[0]:
            raise HubError(403, message="You don't have the rights to write here")
        return self.user

    def find_repo(self, kind: str, repo_id: str) -> Repo:
        repo, user = self.server.repos.get((kind, repo_id)), self.user
        if repo is None or (repo.private and user != repo_id.partition("/")[0]):
            if user is None:  # the Hub doesn't tell a stranger which of the two it is
                raise HubError(401, message="Invalid username or password.")
            raise HubError(404, "RepoNotFound", "Repository not found")
        return repo

    def find_commit(self, repo: Repo, revision: str) -> Commit:
        if commit := repo.at(revision):
            return commit
        raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def send_json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_content(json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})}, status)

    def send_content(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(content)

    def send_file(self, content: bytes, headers: dict[str, str]) -> None:
        """With the faults that only a body can have."""
        if self.fault and self.fault.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        status = 200
        if requested := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(requested[1]), int(requested[2] or len(content) - 1)
            status, total = 206, len(content)
            content = content[first : last + 1]
            headers = {**headers, "Content-Range": f"bytes {first}-{last}/{total}"}
        if self.command == "HEAD" or not (self.fault and (self.fault.truncate or self.fault.trickle)):
            self.send_content(content, headers, status)
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.fault.truncate:
            self.wfile.write(content[: len(content) // 2])
        else:
            for byte in content:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                if self.server.stopping.wait(0.1) or not self.server.faults:
                    break
        self.close_connection = True


@route("GET", "/api/whoami-v2")
def whoami(request: Handler) -> None:
    request.send_json({"name": request.user, "type": "user", "orgs": []})


@route("POST", "/api/validate-yaml")
def validate_yaml(request: Handler) -> None:
    request.send_json({"errors": [], "warnings": []})


@route("POST", "/api/repos/create")
def create_repo(request: Handler) -> None:
    asked = json.loads(request.body)
    kind, repo_id = asked.get("type", "model"), f"{asked.get('organization') or request.user}/{asked['name']}"
    request.writer(repo_id)
    prefix = "" if kind == "model" else f"{kind}s/"
    answer = {"url": f"{request.server.url}/{prefix}{repo_id}"}
    if (kind, repo_id) in request.server.repos:
        raise HubError(409, message="You already created this repo", body=answer)
    repo = Repo(kind, repo_id, private=asked.get("visibility") == "private", sdk=asked.get("sdk"))
    repo.commit({".gitattributes": File(b"*.safetensors filter=lfs\n", lfs=False)}, "initial commit")
    request.server.repos[kind, repo_id] = repo
    request.send_json(answer)


@route("POST", rf"{API}/preupload/(?P<revision>[^/]+)")
def preupload(request: Handler, kind: str, repo: str, revision: str) -> None:
    request.writer(repo)
    present = request.find_commit(request.find_repo(kind, repo), revision).files
    files = [
        {
            "path": file["path"],
            "uploadMode": "lfs" if file["path"].endswith(LFS_SUFFIXES) else "regular",
            "shouldIgnore": False,
            "oid": present[file["path"]].etag if file["path"] in present else None,
        }
        for file in json.loads(request.body)["files"]
    ]
    request.send_json({"files": files})


@route("POST", rf"/(?:(?P<kind>dataset|space)s/)?{REPO}\.git/info/lfs/objects/batch")
def lfs_batch(request: Handler, kind: str | None, repo: str) -> None:
    request.writer(repo)
    objects = json.loads(request.body)["objects"]
    for item in objects:
        item["actions"] = {"upload": {"href": f"{request.server.url}/lfs/{item['oid']}"}}
    request.send_json({"transfer": "basic", "objects": objects})


@route("PUT", "/lfs/(?P<oid>[0-9a-f]{64})")
def lfs_upload(request: Handler, oid: str) -> None:
    assert sha256(request.body).hexdigest() == oid
    request.server.uploads[oid] = request.body
    request.send_content(b"", {})


@route("POST", rf"{API}/commit/(?P<revision>[^/]+)")
def commit(request: Handler, kind: str, repo: str, revision: str) -> None:
    request.writer(repo)
    found = request.find_repo(kind, repo)
    title, changes = "", {}
    for line in request.body.splitlines():
        entry = json.loads(line)
        value = entry["value"]
        if entry["key"] == "header":
            title = value["summary"]
            parent = value.get("parentCommit")
            if parent and parent != found.commits[-1].oid:
                raise HubError(412, message="A commit has happened since. Please refresh and try again.")
        elif entry["key"] == "file":
            changes[value["path"]] = File(base64.b64decode(value["content"]), lfs=False)
        elif entry["key"] == "lfsFile":
            changes[value["path"]] = File(request.server.uploads[value["oid"]], lfs=True)
        elif entry["key"] == "deletedFile":
            changes[value["path"]] = None
    oid = found.commit(changes, title).oid
    request.send_json({"success": True, "commitOid": oid, "commitUrl": f"{request.server.url}/{repo}/commit/{oid}"})


@route("POST", rf"{API}/tag/(?P<revision>[^/]+)")
def tag(request: Handler, kind: str, repo: str, revision: str) -> None:
    request.writer(repo)
    found, name = request.find_repo(kind, repo), json.loads(request.body)["tag"]
    if name in found.tags:
        raise HubError(409, message=f"Tag {name} exists")
    found.tags[name] = request.find_commit(found, revision).oid
    request.send_json({})


@route("GET", rf"{API}/refs")
def refs(request: Handler, kind: str, repo: str) -> None:
    found = request.find_repo(kind, repo)
    tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": oid} for name, oid in found.tags.items()]
    branches = [{"name": "main", "ref": "refs/heads/main", "targetCommit": found.commits[-1].oid}]
    request.send_json({"branches": branches, "tags": tags, "converts": []})


@route("GET", rf"{API}(?:/revision/(?P<revision>[^/]+))?")
def repo_info(request: Handler, kind: str, repo: str, revision: str | None) -> None:
    found = request.find_repo(kind, repo)
    commit = request.find_commit(found, revision or "main")
    detailed = "blobs" in request.query and request.server.lists_checksums
    siblings = [
        {
            "rfilename": path,
            **({"size": len(file.content), "blobId": file.blob_id} if detailed else {}),
            **({"lfs": lfs_of(file)} if file.lfs and detailed else {}),
        }
        for path, file in commit.files.items()
    ]
    request.send_json({"id": repo, "sha": commit.oid, "private": found.private, "siblings": siblings, "tags": []})


def lfs_of(file: File) -> dict[str, Any]:
    return {"oid": file.sha256, "sha256": file.sha256, "size": len(file.content), "pointerSize": 130}


def entry_of(path: str, file: File) -> dict[str, Any]:
    entry = {"type": "file", "path": path, "size": len(file.content), "oid": file.blob_id}
    return {**entry, "lfs": lfs_of(file)} if file.lfs else entry


@route("GET", rf"{API}/tree/(?P<revision>[^/]+)/?(?P<path>.*)")
def tree(request: Handler, kind: str, repo: str, revision: str, path: str) -> None:
    files = request.find_commit(request.find_repo(kind, repo), revision).files
    prefix = f"{path}/" if path else ""
    below = {name: file for name, file in files.items() if name.startswith(prefix)}
    if path and not below:
        raise HubError(404, "EntryNotFound", f"{path} does not exist")
    recursive = request.query.get("recursive", ["false"])[0].lower() in ("true", "1")
    folders = set()
    for name in below:
        parts = name.removeprefix(prefix).split("/")[:-1]
        folders |= {prefix + "/".join(parts[: depth + 1]) for depth in range(len(parts) if recursive else bool(parts))}
    entries = [{"type": "directory", "path": folder, "oid": "0" * 40, "size": 0} for folder in sorted(folders)]
    entries += [
        entry_of(name, file) for name, file in below.items() if recursive or "/" not in name.removeprefix(prefix)
    ]
    request.send_json(entries)


@route("POST", rf"{API}/paths-info/(?P<revision>[^/]+)")
def paths_info(request: Handler, kind: str, repo: str, revision: str) -> None:
    files = request.find_commit(request.find_repo(kind, repo), revision).files
    entries = []
    for path in parse_qs(request.body.decode()).get("paths", []):
        if path in files:
            entries.append(entry_of(path, files[path]))
        elif any(name.startswith(f"{path}/") for name in files):
            entries.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
    request.send_json(entries)


@route("GET", rf"/(?:(?P<kind>dataset|space)s/)?{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(request: Handler, kind: str | None, repo: str, revision: str, path: str) -> None:
    found = request.find_repo(kind or "model", repo)
    if found.gated and request.user != repo.partition("/")[0]:
        raise HubError(403, "GatedRepo", "Access to this repo is restricted")
    commit = request.find_commit(found, revision)
    if path not in commit.files:
        raise HubError(404, "EntryNotFound", "Entry not found")
    file = commit.files[path]
    headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{file.etag}"'}
    if not file.lfs:
        request.send_file(file.content, headers)
        return
    headers |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(len(file.content))}
    # The content lies on another host, which must not be given the token.
    location = f"http://localhost:{request.server.server_port}/cdn/{found.kind}/{repo}/{commit.oid}/{path}"
    request.send_content(b"", {**headers, "Location": location}, 302)


@route("GET", rf"/cdn/(?P<kind>\w+)/{REPO}/(?P<revision>[^/]+)/(?P<path>.+)")
def cdn(request: Handler, kind: str, repo: str, revision: str, path: str) -> None:
    if "Authorization" in request.headers:
        raise HubError(400, message="Only one auth mechanism allowed")
    file = request.server.repos[kind, repo].at(revision).files[path]
    request.send_file(file.content, {"ETag": f'"{file.etag}"'})


@route("POST", "/api/collections")
def create_collection(request: Handler) -> None:
    asked = json.loads(request.body)
    request.writer(f"{asked['namespace']}/")
    slug = f"{asked['namespace']}/{asked['title'].lower().replace(' ', '-')}-0123456789abcdef01234567"
    if slug in request.server.collections:
        raise HubError(409, message="exists", body={"slug": slug})
    request.server.collections[slug] = {
        "slug": slug,
        "title": asked["title"],
        "owner": asked["namespace"],
        "private": asked["private"],
        "items": [],
        "lastUpdated": "2026-01-01T00:00:00.000Z",
        "position": 0,
        "theme": "green",
        "upvotes": 0,
    }
    request.send_json(request.server.collections[slug])


@route("GET", r"/api/collections/(?P<slug>[^/]+/[^/]+)")
def get_collection(request: Handler, slug: str) -> None:
    request.send_json(request.server.collections[slug])


@route("POST", r"/api/collections/(?P<slug>[^/]+/[^/]+)/items")
def add_collection_item(request: Handler, slug: str) -> None:
    request.writer(slug)
    collection, item = request.server.collections[slug], json.loads(request.body)["item"]
    if item["id"] in [present["id"] for present in collection["items"]]:
        raise HubError(409, message="exists")
    collection["items"].append({**item, "_id": str(len(collection["items"])), "position": len(collection["items"])})
    request.send_json(collection)
