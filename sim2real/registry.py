"""Fetch public packs of photographs by name: whole, checked against their hashes, and resumable."""

from __future__ import annotations

import difflib
import hashlib
import re
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote, urlsplit

from calibration.errors import InputError
from calibration.records import write_bytes, write_json, write_text
from sim2real.progress import progress
from sim2real.public_packs import PACKS, PublicPack, SourceFile
from sim2real.realdata import LABELS

SOURCE = "source.json"
_TIMEOUT_S = 30.0
_RETRIES = 2
_PAUSE_S = 1.0
_BUSY = (429, 500, 502, 503, 504)


def dataset_names() -> list[str]:
    """Return the names of the public packs."""
    return sorted(pack.name for pack in PACKS)


def find_pack(name: str) -> PublicPack:
    """Return the public pack of a name.

    Raises:
        InputError: there is none.
    """
    for pack in PACKS:
        if pack.name == name:
            return pack
    close = difflib.get_close_matches(name, dataset_names(), 1, 0.5)
    meant = f"; did you mean '{close[0]}'?" if close else ""
    raise InputError(f"name must be a public pack ({', '.join(dataset_names())}), got '{name}'{meant}")


def get(name: str, out: Path, base_url: str | None = None) -> Path:
    """Fetch a public pack into a folder that `load_real` reads, and return the folder.

    A file appears under its name when its hash is right. One that is there already is not fetched again, so
    that an interrupted download goes on, and files copied by hand count. labels.csv comes last: a folder with
    it is complete.

    Args:
        name: of the pack.
        out: a new folder, or one with an unfinished download of the same pack.
        base_url: folder of the files on another server, in place of the pack's own address.

    Raises:
        InputError: no such pack, no answer, other content than expected, or a folder with other content.
    """
    pack = find_pack(name)
    address = (base_url or pack.address).rstrip("/")
    if urlsplit(address).scheme not in ("http", "https"):
        raise InputError(f"base_url must start with http:// or https://, got '{base_url}'")
    labels = pack.labels([file.path for file in pack.files])
    try:
        wanted = _missing_files(pack, out, labels)
        with progress(f"get {name}", len(pack.files), "files", len(pack.files) - len(wanted)) as advance:
            for count, file in enumerate(wanted, len(pack.files) - len(wanted) + 1):
                content = _fetch(f"{address}/{quote(file.source)}", file, out)
                path = out / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, content)
                advance(count)
        write_json(out / SOURCE, _source(pack, address))
        write_text(out / LABELS, labels)
    except OSError as error:
        raise InputError(f"cannot use folder {out}: {error.strerror}") from None
    return out


def _missing_files(pack: PublicPack, out: Path, labels: str) -> list[SourceFile]:
    """Return the files still to be fetched; check that the folder holds nothing but this pack."""
    if not out.exists():
        return list(pack.files)
    if not out.is_dir():
        raise InputError(f"out must be a folder, got the file {out}; choose another --out")
    known = {file.path for file in pack.files} | {LABELS, SOURCE}
    for path in out.rglob("*"):
        if path.is_dir():
            continue
        # A download that was killed leaves the temporary file of one name behind.
        finished = re.sub(r"^\.(.+)\.\d+\.part$", r"\1", path.name)
        if path.with_name(finished).relative_to(out).as_posix() not in known:
            raise InputError(
                f"out must be a new folder or an unfinished download of {pack.name}, found {path} in it; "
                "choose another --out"
            )
        if finished != path.name:
            path.unlink()
    if (out / LABELS).is_file() and (out / LABELS).read_bytes() != labels.encode():
        raise InputError(f"{out / LABELS} must be that of {pack.name}, got another; choose another --out")
    missing = []
    for file in pack.files:
        path = out / file.path
        if not path.is_file():
            missing.append(file)
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != file.sha256:
            raise InputError(
                f"{path} must have SHA-256 {file.sha256}, got {digest}; "
                "remove it to fetch it again, or choose another --out"
            )
    return missing


def _fetch(url: str, file: SourceFile, out: Path) -> bytes:
    """Return the content of a file on the web once its hash is right."""
    content = _download(url, (out / file.path).parent)
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise InputError(
            f"{url} must have SHA-256 {file.sha256}, got {digest} ({len(content)} bytes); "
            "nothing of it was kept; did a proxy answer in its place?"
        )
    return content


def _download(url: str, folder: Path) -> bytes:
    by_hand = f"check the network or copy the data by hand to {folder}"
    reason = "no answer"
    for attempt in range(_RETRIES + 1):
        if attempt:
            time.sleep(_PAUSE_S * attempt)
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in _BUSY:
                gone = "there is no such file" if error.code in (404, 410) else "the server refuses"
                raise InputError(f"cannot fetch {url}: {gone} (HTTP {error.code}); {by_hand}") from None
            reason = f"HTTP {error.code}"
        except (OSError, HTTPException) as error:
            reason = _reason(error)
    raise InputError(f"cannot reach {urlsplit(url).netloc}: {reason}; {by_hand}")


def _reason(error: OSError | HTTPException) -> str:
    """Return why there was no answer, in one line."""
    cause = getattr(error, "reason", error)
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(text).split())


def _source(pack: PublicPack, address: str) -> dict[str, object]:
    return {
        "name": pack.name,
        "description": pack.description,
        "homepage": pack.homepage,
        "address": address,
        "commit": pack.commit,
        "licence": pack.licence,
        "rig": pack.rig,
        "sha256": {file.path: file.sha256 for file in pack.files},
    }
