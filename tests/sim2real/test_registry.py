"""Packs of photographs are fetched whole, checked, resumable, and say in one line what went wrong."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from calibration.errors import InputError
from calibration.rig_file import load_rig, rig_names
from sim2real import registry
from sim2real.public_packs import PACKS, PublicPack, SourceFile, cube_labels
from sim2real.realdata import load_real

CUBE = next(pack for pack in PACKS if pack.name == "cube_on_table")
CONTENTS = {"0-0.jpg": b"first photograph", "1-4.jpg": b"second", "5 7.jpg": b"its name needs quoting"}


class Server:
    """A local web server that hands out files and remembers what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.status: dict[str, list[int]] = {}
        self.asked: list[str] = []
        self.cut: set[str] = set()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, self))
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/data/real"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


class Handler(BaseHTTPRequestHandler):
    def __init__(self, server: Server, *args: object) -> None:
        self.shop = server
        super().__init__(*args)

    def do_GET(self) -> None:
        self.shop.asked.append(self.path)
        name = self.path.rpartition("/")[2].replace("%20", " ")
        script = self.shop.status.get(name)
        if script:
            self.send_error(script.pop(0))
            return
        if not self.path.startswith("/data/real/") or name not in self.shop.files:
            self.send_error(404)
            return
        body = self.shop.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if name in self.shop.cut else body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(registry, "_PAUSE_S", 0.0)
    shop = Server()
    shop.files.update(CONTENTS)
    yield shop
    shop.close()


def labels_of(paths: object) -> str:
    return "file\n" + "".join(f"{path}\n" for path in paths)


@pytest.fixture
def pack(monkeypatch: pytest.MonkeyPatch) -> PublicPack:
    files = tuple(SourceFile(n, f"images/{n}", hashlib.sha256(c).hexdigest()) for n, c in CONTENTS.items())
    made = replace(CUBE, name="toy", address="https://nowhere.invalid/x", files=files, labels=labels_of)
    monkeypatch.setattr(registry, "PACKS", (*PACKS, made))
    return made


def message(error: pytest.ExceptionInfo[InputError]) -> str:
    text = str(error.value)
    assert "\n" not in text, text
    return text


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_get_writes_the_whole_pack(server: Server, pack: PublicPack, tmp_path: Path) -> None:
    out = tmp_path / "new" / "toy"
    assert registry.get("toy", out, server.url + "/") == out
    assert names(out) == {*(f"images/{name}" for name in CONTENTS), "labels.csv", "source.json"}
    for name, content in CONTENTS.items():
        assert (out / "images" / name).read_bytes() == content
    assert (out / "labels.csv").read_text() == "file\nimages/0-0.jpg\nimages/1-4.jpg\nimages/5 7.jpg\n"
    assert server.asked == ["/data/real/0-0.jpg", "/data/real/1-4.jpg", "/data/real/5%207.jpg"]
    source = json.loads((out / "source.json").read_text())
    assert source["name"] == "toy"
    assert source["address"] == server.url
    assert source["commit"] == CUBE.commit
    assert source["licence"].startswith("MIT")
    assert source["sha256"]["images/1-4.jpg"] == hashlib.sha256(b"second").hexdigest()


def test_get_goes_on_where_it_stopped(server: Server, pack: PublicPack, tmp_path: Path) -> None:
    out = tmp_path / "toy"
    del server.files["1-4.jpg"]
    with pytest.raises(InputError):
        registry.get("toy", out, server.url)
    assert names(out) == {"images/0-0.jpg"}, "labels.csv must come last"
    server.files.update(CONTENTS)
    server.asked.clear()
    registry.get("toy", out, server.url)
    assert server.asked == ["/data/real/1-4.jpg", "/data/real/5%207.jpg"]
    server.asked.clear()
    registry.get("toy", out, server.url)
    assert server.asked == []


def test_temporary_file_of_a_killed_download_is_cleared(server: Server, pack: PublicPack, tmp_path: Path) -> None:
    (tmp_path / "toy" / "images").mkdir(parents=True)
    (tmp_path / "toy" / "images" / ".1-4.jpg.4711.part").write_bytes(b"sec")
    registry.get("toy", tmp_path / "toy", server.url)
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


def test_files_copied_by_hand_need_no_server(pack: PublicPack, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name, content in CONTENTS.items():
        (tmp_path / "images" / name).write_bytes(content)
    registry.get("toy", tmp_path, "http://127.0.0.1:9")
    assert (tmp_path / "labels.csv").is_file()


def test_wrong_content_is_not_kept(server: Server, pack: PublicPack, tmp_path: Path) -> None:
    server.files["1-4.jpg"] = b"<html>please log in</html>"
    with pytest.raises(InputError) as error:
        registry.get("toy", tmp_path / "toy", server.url)
    text = message(error)
    assert "1-4.jpg" in text
    assert hashlib.sha256(b"second").hexdigest() in text
    assert hashlib.sha256(b"<html>please log in</html>").hexdigest() in text
    assert names(tmp_path) == {"toy/images/0-0.jpg"}


def test_missing_on_the_server_is_not_asked_for_again(server: Server, pack: PublicPack, tmp_path: Path) -> None:
    del server.files["0-0.jpg"]
    with pytest.raises(InputError, match=r"0-0\.jpg.*no such file \(HTTP 404\).*by hand") as error:
        registry.get("toy", tmp_path / "toy", server.url)
    assert str(tmp_path / "toy" / "images") in message(error)
    assert server.asked == ["/data/real/0-0.jpg"]
    assert names(tmp_path) == set()


def test_busy_server_is_asked_twice_again(server: Server, pack: PublicPack, tmp_path: Path) -> None:
    server.status["0-0.jpg"] = [503, 429]
    registry.get("toy", tmp_path / "toy", server.url)
    assert server.asked[:3] == ["/data/real/0-0.jpg"] * 3
    server.status["0-0.jpg"] = [503, 503, 503]
    with pytest.raises(InputError, match=r"cannot reach 127\.0\.0\.1:\d+: HTTP 503"):
        registry.get("toy", tmp_path / "again", server.url)


def test_answer_that_breaks_off_is_an_error(server: Server, pack: PublicPack, tmp_path: Path) -> None:
    server.cut.add("0-0.jpg")
    with pytest.raises(InputError, match=r"cannot reach 127\.0\.0\.1:\d+: IncompleteRead") as error:
        registry.get("toy", tmp_path / "toy", server.url)
    message(error)
    assert len(server.asked) == 3
    assert names(tmp_path) == set()


def test_closed_server_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, pack: PublicPack, tmp_path: Path) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(registry, "_PAUSE_S", 0.0)
    gone = Server()
    gone.close()
    with pytest.raises(InputError) as error:
        registry.get("toy", tmp_path / "toy", gone.url)
    assert re.fullmatch(
        r"cannot reach 127\.0\.0\.1:\d+: .*refused.*; check the network or copy the data by hand to .*images",
        message(error),
    )
    assert not (tmp_path / "toy").exists()


def test_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cube_on_table.*got 'cube_on_tabel'; did you mean 'cube_on_table'"):
        registry.get("cube_on_tabel", tmp_path)


def test_other_protocols_are_refused(pack: PublicPack, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must start with http:// or https://, got 'file:///etc'"):
        registry.get("toy", tmp_path / "toy", "file:///etc")


def test_out_must_be_a_folder(server: Server, pack: PublicPack, tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("a file")
    with pytest.raises(InputError, match="out must be a folder, got the file"):
        registry.get("toy", tmp_path / "toy", server.url)
    with pytest.raises(InputError, match="cannot use folder"):
        registry.get("toy", tmp_path / "toy" / "below", server.url)
    assert (tmp_path / "toy").read_text() == "a file"


@pytest.mark.parametrize("path", ["notes.txt", "images/other.jpg", ".hidden", "labels.csv.bak"])
def test_out_with_other_content_is_left_alone(path: str, server: Server, pack: PublicPack, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("mine")
    with pytest.raises(InputError, match=r"found .*" + re.escape(path) + " in it"):
        registry.get("toy", tmp_path, server.url)
    assert names(tmp_path) == {path}
    assert server.asked == []


@pytest.mark.parametrize("path", ["labels.csv", "images/0-0.jpg"])
def test_changed_files_are_not_overwritten(path: str, server: Server, pack: PublicPack, tmp_path: Path) -> None:
    registry.get("toy", tmp_path, server.url)
    (tmp_path / path).write_text("mine")
    with pytest.raises(InputError, match=re.escape(path)):
        registry.get("toy", tmp_path, server.url)
    assert (tmp_path / path).read_text() == "mine"


def test_full_disk_is_one_clear_line(
    server: Server, pack: PublicPack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"cannot use folder .*No space left on device"):
        registry.get("toy", tmp_path / "toy", server.url)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("entry", PACKS, ids=lambda pack: pack.name)
def test_entries_are_complete(entry: PublicPack) -> None:
    assert re.fullmatch(r"[0-9a-f]{40}", entry.commit)
    assert entry.commit in entry.address, "an address without its commit would change under the hashes"
    assert entry.address.startswith("https://")
    assert entry.rig in rig_names()
    assert all(re.fullmatch(r"[0-9a-f]{64}", file.sha256) for file in entry.files)
    for key in ("source", "path", "sha256"):
        values = [getattr(file, key) for file in entry.files]
        assert len(set(values)) == len(values), f"two files share a {key}"


def test_cube_labels_by_hand() -> None:
    lines = cube_labels(["images/0-0.jpg", "images/2-4.jpg", "images/4-0.jpg", "images/5-7.jpg"]).splitlines()
    assert lines == [
        "file,grid_x,grid_y,x_m,y_m,z_m,visible",
        "images/0-0.jpg,0,0,-0.500,0.610,0.330,full",
        "images/2-4.jpg,2,4,-0.800,0.010,0.330,full",
        "images/4-0.jpg,4,0,-1.100,0.610,0.330,none",
        "images/5-7.jpg,5,7,-1.250,-0.440,0.330,clipped",
    ]


@pytest.mark.real
def test_cube_photographs_load_after_get(server: Server, real_data: Path, tmp_path: Path) -> None:
    shared = real_data / "cube_on_table"
    server.files = {path.name: path.read_bytes() for path in (shared / "images").iterdir()}
    out = registry.get("cube_on_table", tmp_path / "cube", server.url)
    assert (out / "labels.csv").read_text() == (shared / "labels.csv").read_text()
    data = load_real(out, load_rig("cube_on_table"))
    assert len(data.frames) == 32
    assert data.left_out == (("images/4-0.jpg", "no visible target"),)
    assert data.faulty == ()
