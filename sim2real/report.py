"""The report of a transfer run: one HTML file that needs nothing beside it, and the same numbers as JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from calibration.errors import InputError
from sim2real.report_data import parse_result
from sim2real.report_view import page

_TEMPLATES = Path(__file__).parent / "templates"


def load_result(path: Path) -> dict[str, object]:
    """Return the result of a transfer run, checked.

    Args:
        path: a JSON file of format `sim2real.transfer`, version 1.

    Raises:
        InputError: the file is missing or is not such a result; the message names the file and the field.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"result must be a readable file, got {error.strerror} ({path}); run `sim2real transfer` first"
        ) from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise InputError(
            f"result must be JSON, got {str(error)!r} ({path}); write the file again with `sim2real transfer`"
        ) from error
    if not isinstance(result, dict):
        raise InputError(
            f"result must be a JSON object, got {type(result).__name__} ({path}); "
            "write the file again with `sim2real transfer`"
        )
    parse_result(result, str(path))
    return result


def write_report(result: Mapping[str, object], folder: Path, images: Path | None, *, base: Path | None = None) -> Path:
    """Write `report.html` and `report.json` and return the path of the page.

    The page holds its style, figures and pictures, and loads nothing. The JSON is the result itself, with
    null for numbers that are not finite. Both files appear whole or not at all.

    Args:
        result: a result of format `sim2real.transfer`, version 1.
        folder: made where it is missing; earlier reports in it are replaced.
        images: folder that the file names in the result are relative to; None for a page without pictures.
        base: folder that `preview` is relative to, the one with the result file; `folder` where not given.

    Raises:
        InputError: the result has another format or version, or a field of the wrong type.
    """
    view = page(parse_result(result), images, folder if base is None else base)
    html = _template().render(view)
    text = json.dumps(_finite_only(result), indent=1, ensure_ascii=False, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "report.json", text + "\n")
    _replace(folder / "report.html", html)
    return folder / "report.html"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _finite_only(value: object) -> object:
    """Return a copy in which every NaN and infinity is null, because JSON has neither."""
    if isinstance(value, Mapping):
        return {key: _finite_only(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_only(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _replace(path: Path, text: str) -> None:
    """Write to a temporary name beside `path`, then rename, so that no reader sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
