"""One page a calibration: verdict, numbers with intervals, plots, pictures, what to do next."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.calibration_record import CalibrationRecord
from calibration.records import write_record, write_text
from sim2real import __version__

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#5b6470;--line:#d7dce2;--bad:#b3261e;--warn:#8a5a00;
--good:#0b6b3a}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e9ed;--soft:#9aa4b0;--line:#333a42;--bad:#ff8a80;
--warn:#e0b050;--good:#6fd19c;--c0:#5fb3ef;--c1:#ff9a52;--c2:#4fc9a0}}
body{font:16px/1.5 system-ui,sans-serif;background:var(--bg);color:var(--fg);max-width:62rem;margin:0 auto;
padding:1.5rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);
text-align:left}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.soft{color:var(--soft)}
.fault{color:var(--bad)}.warning{color:var(--warn)}.ok{color:var(--good)}ul{padding-left:1.2rem}
.plots{display:flex;flex-wrap:wrap;gap:1.5rem}.plots figure{flex:1 1 24rem;margin:0}figure{margin:0 0 1rem}
svg.plot{width:100%;height:auto}img{max-width:100%;height:auto;border:1px solid var(--line)}
figcaption{color:var(--soft);font-size:.9rem}.wide{overflow-x:auto}
"""
_PICTURE_WIDTH_PX = 640


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure as SVG text, and what it shows."""

    svg: str
    caption: str


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture, uint8 (H, W, 3) RGB, and what it shows."""

    picture: NDArray[np.uint8]
    caption: str


def write_calibration(
    out: Path,
    title: str,
    record: CalibrationRecord,
    plots: Sequence[Plot] = (),
    pictures: Sequence[Shown] = (),
    tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]] = (),
) -> str:
    """Write record.json and page.html into a folder; return one line about it.

    Args:
        out: the folder.
        title: of the page.
        record: what was found.
        plots: figures.
        pictures: overlays.
        tables: (title, header, rows) of more numbers.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    write_record(out / "record.json", record, {"tool": f"sim2real {__version__}", "made": now, "source": record.source})
    body = [f"<h1>{escape(title)}</h1>", _verdict(record)]
    body.append(f'<p class="soft">{escape(record.source)}; {record.count} used; {now}; sim2real {__version__}</p>')
    if record.findings:
        body.append("<h2>What was found, and what to do next</h2><ul>")
        for f in record.findings:
            then = f" <b>{escape(f.next_step)}</b>" if f.next_step else ""
            body.append(f'<li><span class="{f.level}">{f.level}</span>: {escape(f.what)}.{then}</li>')
        body.append("</ul>")
    header = ("value", "best", "95 % interval", "unit", "rests on")
    rows = [
        (name, f"{e.value:.6g}", f"{e.low:.6g} to {e.high:.6g}", "" if e.unit == "1" else e.unit, f"{e.count}")
        for name, e in record.estimates.items()
    ]
    body.append(_table("Estimates", header, rows))
    if plots:
        body.append('<h2>Residuals</h2><div class="plots">')
        body += [f"<figure>{p.svg}<figcaption>{escape(p.caption)}</figcaption></figure>" for p in plots]
        body.append("</div>")
    for table in tables:
        body.append(_table(*table))
    quality = [(name, f"{value:.6g}") for name, value in record.quality.items()]
    body.append(_table("Other numbers", ("name, with its unit", "value"), quality))
    if pictures:
        body.append("<h2>Pictures</h2>")
        body += [
            f'<figure><img alt="" src="{_url(s.picture)}"><figcaption>{escape(s.caption)}</figcaption></figure>'
            for s in pictures
        ]
    methods = sorted({e.method for e in record.estimates.values()})
    body.append("<h2>How</h2>" + "".join(f"<p>{escape(m)}</p>" for m in methods))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    write_text(
        out / "page.html",
        f"<!doctype html><html lang=en><head>{head}<style>{_STYLE}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n",
    )
    return f"{_words(record)}; {out / 'page.html'}"


def _words(record: CalibrationRecord) -> str:
    faults = sum(f.level == "fault" for f in record.findings)
    warnings = sum(f.level == "warning" for f in record.findings)
    if faults:
        first = next(f for f in record.findings if f.level == "fault")
        return f"not usable: {first.what}"
    return f"{record.kind}: {record.count} used, {warnings} warning{'' if warnings == 1 else 's'}"


def _verdict(record: CalibrationRecord) -> str:
    kind = "ok" if record.is_usable else "fault"
    return f'<p class="{kind}"><b>{escape(_words(record))}</b></p>'


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    numeric = [all(_is_number(r[k]) for r in rows) for k in range(len(header))]
    cells = [
        "<tr>"
        + "".join(f"<th{' class=n' if n else ''}>{escape(h)}</th>" for h, n in zip(header, numeric, strict=True))
        + "</tr>"
    ]
    for row in rows:
        cells.append(
            "<tr>"
            + "".join(f"<td{' class=n' if n else ''}>{escape(c)}</td>" for c, n in zip(row, numeric, strict=True))
            + "</tr>"
        )
    return f'<h2>{escape(title)}</h2><div class="wide"><table>{"".join(cells)}</table></div>'


def _is_number(text: str) -> bool:
    return (
        text.replace(" to ", "").replace(".", "").replace("-", "").replace("+", "").replace("e", "").strip().isdigit()
    )


def _url(picture: NDArray[np.uint8]) -> str:
    height, width = picture.shape[:2]
    if width > _PICTURE_WIDTH_PX:
        size = (_PICTURE_WIDTH_PX, round(height * _PICTURE_WIDTH_PX / width))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(np.asarray(data).tobytes()).decode()
