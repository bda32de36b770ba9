"""Pulling a weight file from a real server that breaks off, forbids, lies, or cannot go on."""

import errno
import hashlib
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from clisc_engine.errors import BadInput, DiskFault, Stopped
from clisc_engine.models import download
from clisc_engine.models.download import pull
from clisc_engine.models.known import KNOWN
from clisc_engine.models.weights import present
from clisc_engine.project.lock_owner import Owner, start_of
from clisc_engine.running.control import Control, StopFlag
from clisc_engine.settings.medical import BIOMEDCLIP
from tests.support import ENVIRONMENT

CONTENT = np.random.default_rng(0).integers(0, 256, 5 * 2**20 + 321).astype(np.uint8).tobytes()
ENTRY = replace(
    KNOWN["vit_b"],
    size=len(CONTENT),
    digest=("sha256", hashlib.sha256(CONTENT).hexdigest()),
    files=("sam.pth",),
)


class Server(ThreadingHTTPServer):
    """Serves CONTENT under every path.

    ``breaks`` holds how many bytes each coming answer gives before the connection is cut.
    """

    ranges = True
    status = 200
    content = CONTENT
    half_way = threading.Barrier(1)
    """Where answers wait for each other."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.breaks = []
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if server.ranges and (wanted := self.headers.get("Range")):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(server.content):
                self.send_error(416)
                return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: server.breaks.pop(0)] if server.breaks else body
        with suppress(ConnectionError):  # a client that was stopped hangs up
            self.wfile.write(body[: len(body) // 2])
            server.half_way.wait(60)
            self.wfile.write(body[len(body) // 2 :])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


FULL = Path("/dev/full")


def partial(folder):
    return folder / "sam.pth.partial"


def test_a_file_arrives_whole(server, tmp_path):
    path = pull(ENTRY, tmp_path / "models", Control(), mirror=server.url + "/mirror/")
    assert path.read_bytes() == CONTENT
    assert server.asked == [("/mirror/sam.pth", None)]
    assert [file.name for file in path.parent.iterdir()] == ["sam.pth"]


def test_the_publishers_address_is_asked_without_a_mirror(server, tmp_path):
    pull(replace(ENTRY, url=f"{server.url}/there/w.pth"), tmp_path, Control())
    assert server.asked[0][0] == "/there/w.pth"


def test_a_broken_connection_goes_on_where_it_stopped(server, tmp_path):
    server.breaks = [3 * 2**20, 2**20]
    path = pull(ENTRY, tmp_path, Control(), mirror=server.url)
    assert path.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, f"bytes={3 * 2**20}-", f"bytes={4 * 2**20}-"]


def test_what_arrived_is_kept_for_the_next_call(server, tmp_path):
    server.breaks = [2**20, 0, 0]
    with pytest.raises(BadInput) as raised:
        pull(ENTRY, tmp_path, Control(), mirror=server.url)
    message = str(raised.value)
    assert "https_proxy" in message and str(tmp_path / "sam.pth") in message and "--mirror" in message
    assert partial(tmp_path).stat().st_size == 2**20 and not (tmp_path / "sam.pth").exists()
    assert pull(ENTRY, tmp_path, Control(), mirror=server.url).read_bytes() == CONTENT
    assert server.asked[-1][1] == f"bytes={2**20}-"


def test_a_server_that_cannot_go_on_starts_anew(server, tmp_path):
    server.ranges = False
    server.breaks = [2**20]
    assert pull(ENTRY, tmp_path, Control(), mirror=server.url).read_bytes() == CONTENT


def test_a_wrong_beginning_is_thrown_away(server, tmp_path):
    partial(tmp_path).write_bytes(b"something else")
    assert pull(ENTRY, tmp_path, Control(), mirror=server.url).read_bytes() == CONTENT
    partial(tmp_path).write_bytes(CONTENT + b"too much")
    assert pull(ENTRY, tmp_path, Control(), mirror=server.url).read_bytes() == CONTENT


def test_a_complete_partial_file_only_needs_its_check(server, tmp_path):
    partial(tmp_path).write_bytes(CONTENT)
    assert pull(ENTRY, tmp_path, Control(), mirror=server.url).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_another_file_is_refused_and_removed(server, tmp_path):
    server.content = b"<html>Please log in to the hospital's proxy</html>"
    with pytest.raises(BadInput, match=r"is not SAM ViT-B.*proxy"):
        pull(ENTRY, tmp_path, Control(), mirror=server.url)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_not_tried_again(server, tmp_path):
    server.status = 403
    with pytest.raises(BadInput, match="Forbidden"):
        pull(ENTRY, tmp_path, Control(), mirror=server.url)
    assert len(server.asked) == 1
    server.status = 503
    with pytest.raises(BadInput):
        pull(ENTRY, tmp_path, Control(), mirror=server.url)
    assert len(server.asked) == 4


def test_nobody_there(server, tmp_path):
    with pytest.raises(BadInput, match="cannot be fetched"):
        pull(ENTRY, tmp_path, Control(), mirror="http://127.0.0.1:1")


def test_a_stop_keeps_what_arrived(server, tmp_path):
    flag = StopFlag()

    class AfterTwo:
        count = 0

        def begin(self, *_):
            pass

        end = say = begin

        def advance(self, *_):
            self.count += 1
            if self.count == 2:
                flag.reason = "SIGTERM"

    with pytest.raises(Stopped):
        pull(ENTRY, tmp_path, Control(progress=AfterTwo(), stop=flag), mirror=server.url)
    assert 0 < partial(tmp_path).stat().st_size < len(CONTENT)


def test_proxies_of_the_environment_are_asked(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    pull(ENTRY, tmp_path, Control(), mirror="http://models.example")
    assert server.asked == [("http://models.example/sam.pth", None)]


def test_too_little_room_is_said_before_anything_is_asked(server, tmp_path):
    with pytest.raises(BadInput, match="GB free"):
        pull(replace(ENTRY, size=10**18), tmp_path, Control(), mirror=server.url)
    assert server.asked == []


def test_known_files_are_found_in_the_models_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    assert present(KNOWN["resnet50"]) is None
    (tmp_path / "resnet50-0676ba61.pth").touch()
    assert present(KNOWN["resnet50"]).name == "resnet50-0676ba61.pth"
    assert KNOWN["resnet50"].digest_of("resnet50-0676ba61.pth") == ("sha256", "0676ba61")


def test_a_file_with_an_md5_alone_is_checked_by_it(server, tmp_path):
    entry = replace(ENTRY, digest=("md5", hashlib.md5(CONTENT).hexdigest()))
    assert pull(entry, tmp_path / "good", Control(), mirror=server.url).read_bytes() == CONTENT
    with pytest.raises(BadInput, match=r"its MD5 is .*expected 0000"):
        pull(replace(entry, digest=("md5", "0" * 32)), tmp_path / "bad", Control(), mirror=server.url)
    assert list((tmp_path / "bad").iterdir()) == []


def test_without_a_digest_a_proxys_page_is_refused_all_the_same(server, tmp_path):
    entry = replace(ENTRY, digest=None, folder="clip", beside=(("a.json", f"{server.url}/a.json"),))
    whole, described = entry.parts()
    path = pull(whole, tmp_path, Control(), mirror=server.url)
    assert path == tmp_path / "clip" / "sam.pth" and server.asked[-1][0] == "/clip/sam.pth"
    server.content = b"<html>Please log in</html>"
    for part in (whole, described):
        with pytest.raises(BadInput, match="proxy"):
            pull(part, tmp_path, Control(), mirror=server.url)
    server.content = b'{"model_cfg": {}}'
    assert pull(described, tmp_path, Control()).read_bytes() == server.content
    assert server.asked[-1][0] == "/a.json", "the publisher's own address"


def test_a_model_of_several_files_is_there_when_all_are(tmp_path, monkeypatch):
    monkeypatch.setenv("CLISC_MODELS", str(tmp_path))
    entry = KNOWN[BIOMEDCLIP]
    folder = tmp_path / entry.folder
    folder.mkdir()
    for part in entry.parts():
        assert present(entry) is None
        (folder / part.files[0]).touch()
    assert present(entry) == folder / "open_clip_pytorch_model.bin"


PULL = """
import hashlib, sys
from dataclasses import replace
from pathlib import Path
from clisc_engine.models.download import pull
from clisc_engine.models.known import KNOWN
from clisc_engine.running.control import Control

folder, url, size, digest = sys.argv[1:]
entry = replace(KNOWN["vit_b"], size=int(size), digest=("sha256", digest), files=("sam.pth",))
pull(entry, Path(folder), Control(), mirror=url)
"""


def test_two_calls_at_once_into_one_folder_do_not_disturb_each_other(server, tmp_path):
    """Both have half of the file when either goes on."""
    server.half_way = threading.Barrier(2)
    given = [str(tmp_path), server.url, str(len(CONTENT)), ENTRY.digest[1]]
    command = [sys.executable, "-c", PULL, *given]
    both = [subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE) for _ in range(2)]
    errors = [process.communicate()[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert server.asked == [("/sam.pth", None)] * 2, "neither had to begin again"
    assert [path.name for path in tmp_path.iterdir()] == ["sam.pth"]
    assert (tmp_path / "sam.pth").read_bytes() == CONTENT


@contextmanager
def process_of_another():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = replace(Owner.this_process(""), pid=process.pid)

        yield replace(owner, started=start_of(process.pid))
        process.communicate(b"\n")


def begun_by(owner, folder, size):
    from clisc_engine.project.owner_marks import mark_of

    path = folder / f"sam.pth.{mark_of(owner)}.partial"
    path.write_bytes(CONTENT[:size])
    return path


def test_what_a_living_process_has_begun_is_its_own(server, tmp_path):
    with process_of_another() as owner:
        begun = begun_by(owner, tmp_path, 2**20)
        assert pull(ENTRY, tmp_path, Control(), mirror=server.url).read_bytes() == CONTENT
        assert begun.read_bytes() == CONTENT[: 2**20]
    assert server.asked == [("/sam.pth", None)]


def test_what_a_dead_process_has_begun_is_gone_on_with(server, tmp_path):
    with process_of_another() as owner:
        begun_by(owner, tmp_path, 2**20)
    assert pull(ENTRY, tmp_path, Control(), mirror=server.url).read_bytes() == CONTENT
    assert server.asked == [("/sam.pth", f"bytes={2**20}-")]
    assert [path.name for path in tmp_path.iterdir()] == ["sam.pth"]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_no_fault_of_the_network(server, tmp_path, monkeypatch):
    @contextmanager
    def full(_):
        yield FULL

    monkeypatch.setattr(download, "own_partial", full)
    with pytest.raises(DiskFault, match=r"No space left on device\. Free some space") as raised:
        pull(replace(ENTRY, size=0), tmp_path, Control(), mirror=server.url)
    assert "proxy" not in str(raised.value) and raised.value.__cause__.errno == errno.ENOSPC
    assert len(server.asked) == 1, "it is not tried again"
