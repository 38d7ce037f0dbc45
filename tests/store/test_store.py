"""The store keeps only what was pinned, whole or not at all; broken transfers go on; nothing leaves its folder."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from realtime.errors import UserError
from realtime.store import entries, fetching
from realtime.store.store import Store

DATA = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIDECHAIN_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def text(source: str, file: str = "", **keys: object) -> str:
    lines = "\n".join(f"{k} = {v!r}" for k, v in keys.items())
    kept = file or f'name = "a.bin"\nsize = {len(DATA)}\nsha256 = "{DIGEST}"'
    return (
        f'[[model]]\nname = "thing"\ntitle = "A thing"\nlicense = "MIT"\nsource = "{source}"\n{lines}\n'
        f"[[model.files]]\n{kept}\n"
    )


def store(folder: Path, entry: str) -> Store:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models.toml").write_text(entry)
    return Store(folder)


class Server:
    """A web server that breaks off after some bytes, and remembers what it was asked."""

    def __init__(self) -> None:
        self.content = DATA
        self.most = len(DATA)
        self.ranges: list[str] = []
        self.elsewhere = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range", "")
                if outer.elsewhere:
                    self.send_response(302)
                    self.send_header("Location", outer.elsewhere)
                    self.end_headers()
                    return
                outer.ranges.append(asked)
                begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
                body = outer.content[begin:]
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: outer.most])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/a.bin"


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    yield served
    served.server.shutdown()
    served.thread.join()
    served.server.server_close()


def local(tmp_path: Path, content: bytes = DATA) -> Store:
    source = tmp_path / "source.bin"
    source.write_bytes(content)
    return store(tmp_path / "store", text("local", path=str(source)))


def test_get_use_remove(tmp_path: Path) -> None:
    s = local(tmp_path)
    with pytest.raises(UserError, match="sidechain models get thing"):
        s.use("thing")
    assert s.state("thing") == "missing"
    s.get("thing")
    assert (s.use("thing") / "a.bin").read_bytes() == DATA
    assert s.state("thing") == "here"
    assert s.remove("thing")
    assert not s.remove("thing")
    assert s.state("thing") == "missing"


def test_what_is_not_pinned_this_way_is_not_kept(tmp_path: Path) -> None:
    s = local(tmp_path, DATA[:-1] + b"!")
    with pytest.raises(UserError, match="not the file that was pinned"):
        s.get("thing")
    assert not list((s.folder / "thing").iterdir())


def test_a_changed_file_is_seen_and_mended(tmp_path: Path) -> None:
    s = local(tmp_path)
    kept = s.get("thing") / "a.bin"
    kept.write_bytes(DATA[::-1])
    assert [f.file for f in s.verify("thing")] == ["a.bin"]
    with pytest.raises(UserError, match="another checksum"):
        s.use("thing")
    s.get("thing")
    assert s.verify("thing") == []
    kept.write_bytes(b"")
    assert s.state("thing") == "damaged"


def test_a_broken_transfer_goes_on_where_it_stopped(tmp_path: Path, server: Server) -> None:
    s = store(tmp_path, text("url", url=server.address))
    server.most = 300_000
    with pytest.raises(UserError, match="go on from here"):
        s.get("thing")
    assert s.state("thing") == "missing"
    server.most = len(DATA)
    told: list[float] = []
    s.get("thing", lambda done, total: told.append(done / total))
    assert server.ranges[0] == ""
    assert server.ranges[1].startswith("bytes=")
    assert (s.use("thing") / "a.bin").read_bytes() == DATA
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_server_that_sends_too_much_is_cut_off(tmp_path: Path, server: Server) -> None:
    server.content = DATA + b"more" * 100_000
    server.most = len(server.content)
    s = store(tmp_path, text("url", url=server.address))
    with pytest.raises(UserError, match="larger than"):
        s.get("thing")
    assert s.state("thing") == "missing"


def test_only_https_beyond_this_machine(tmp_path: Path) -> None:
    for url in ("http://example.org/a.bin", "file:///etc/passwd", "ftp://example.org/a"):
        with pytest.raises(UserError, match="only https"):
            store(tmp_path, text("url", url=url)).get("thing")


def test_a_server_cannot_send_us_elsewhere_without_https(tmp_path: Path, server: Server) -> None:
    server.elsewhere = "http://192.0.2.1/a.bin"
    with pytest.raises(UserError, match=r"192\.0\.2\.1.*only https"):
        store(tmp_path, text("url", url=server.address)).get("thing")


def test_offline_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("SIDECHAIN_OFFLINE", "1")
    with pytest.raises(UserError, match="network is off"):
        store(tmp_path, text("url", url=server.address)).get("thing")
    assert not server.ranges
    local(tmp_path).get("thing")  # needs none


def test_unpinned_needs_trust_and_is_then_held_to_what_came(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.address.rpartition("/")[0])
    s = store(tmp_path, text("hub", 'name = "a.bin"', repo="somebody/thing", revision="main"))
    with pytest.raises(UserError, match="--trust"):
        s.get("thing")
    kept = s.get("thing", trust=True) / "a.bin"
    assert s.state("thing") == "here"
    assert s.verify("thing") == []
    kept.write_bytes(DATA[1:])
    assert s.state("thing") == "damaged"
    assert s.verify("thing")


def wheel(folder: Path, member: str = "thing/a.bin", content: bytes = DATA) -> None:
    folder.mkdir()
    with zipfile.ZipFile(folder / "thing-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr("../../escaped", b"x")
        archive.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("thing-1.0.dist-info/RECORD", "")


KEPT = f'name = "a.bin"\nmember = "thing/a.bin"\nsize = {len(DATA)}\nsha256 = "{DIGEST}"'


def from_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str = KEPT) -> Store:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return store(tmp_path / "store", text("wheel", file, package="thing", version="1.0"))


def test_one_member_of_a_wheel_is_taken_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(tmp_path / "wheels")
    s = from_wheel(tmp_path, monkeypatch)
    s.get("thing")
    assert (s.use("thing") / "a.bin").read_bytes() == DATA
    assert {p.name for p in tmp_path.rglob("*")} == {
        *("wheels", "thing-1.0-py3-none-any.whl", "store", "models.toml", "thing", "a.bin", "fetched.json")
    }


@pytest.mark.parametrize(
    ("member", "content", "said"),
    [("thing/b.bin", DATA, "holds no thing/a.bin"), ("thing/a.bin", DATA + b"1", "larger than")],
)
def test_a_wheel_that_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str, content: bytes, said: str
) -> None:
    wheel(tmp_path / "wheels", member, content)
    with pytest.raises(UserError, match=said):
        from_wheel(tmp_path, monkeypatch).get("thing")


def test_a_wheel_that_is_not_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"pip cannot download thing==1\.0") as raised:
        from_wheel(tmp_path, monkeypatch).get("thing")
    assert "\n" not in str(raised.value)


def test_for_another_system(tmp_path: Path) -> None:
    s = store(tmp_path, text("local", KEPT + '\nsystem = "amiga-68k"', path=str(tmp_path)))
    with pytest.raises(UserError, match="is for amiga-68k only"):
        s.get("thing")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (text("local", 'name = "../a.bin"', path="/x"), "plain file name"),
        (text("local", 'name = "/etc/a"', path="/x"), "plain file name"),
        (text("local", 'name = ".hidden"', path="/x"), "plain file name"),
        (text("wheel", package="thing"), "needs 'version'"),
        (text("wheel", package="--index-url=x", version="1"), "package"),
        (text("local", 'name = "a"\nsha256 = "12"', path="/x"), "sha256"),
        (text("carrier-pigeon"), "source"),
        (text("local", path="/x").replace('"thing"', '"../thing"'), "name"),
        (text("local", path="/x", colour="red"), "colour"),
        (text("local", path="/x") * 2, "there twice"),
        ("[[model]\n", "no valid TOML"),
        ("[other]\n", "only \\[\\[model\\]\\]"),
    ],
)
def test_wrong_entries_are_refused_in_one_line(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        store(tmp_path, entry)
    assert "\n" not in str(raised.value)
    assert "models.toml" in str(raised.value)


def test_shipped_entries_are_right() -> None:
    shipped = entries.shipped()
    assert {"silero-vad", "basic-pitch", "crepe-tiny", "pesto", "rnnoise"} <= shipped.keys()
    for entry in shipped.values():
        assert entry.license_url.startswith("https://")
        assert entry.source == "hub" or entry.pinned
        assert entry.source == "hub" or entry.size


def test_a_size_that_is_not_known_is_bounded(tmp_path: Path, server: Server) -> None:
    part = tmp_path / "x.part"
    fetching.download(server.address, part, 0, lambda done, total: None)
    assert part.read_bytes() == DATA
