import base64
import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.errors import InputError
from sim2real.report import load_result, write_report

VOID = {"meta", "img", "br", "link", "input", "hr"}
WORST = [f"images/{i}.jpg" for i in (7, 3, 9, 0, 1, 2)]
HAS_NO_BROWSER = "no chromium, chromium-browser or google-chrome on PATH"


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    def text(self) -> str:
        parts = (child if isinstance(child, str) else child.text() for child in self.children)
        parts = (part + " " if self.tag in ("tr", "dl") else part for part in parts)
        return re.sub(r"\s+", " ", "".join(parts)).strip()

    def walk(self) -> Iterator["Element"]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        wanted = {key.rstrip("_"): value for key, value in attributes.items()}
        return [
            node
            for node in self.walk()
            if node.tag == tag and all(value in node.attributes.get(key, "").split() for key, value in wanted.items())
        ]


class Tree(HTMLParser):
    """Builds elements; an end tag without its start tag is an error."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack = [Element("document", {})]
        self.feed(html)
        self.close()
        assert len(self.stack) == 1, f"not closed: {[node.tag for node in self.stack[1:]]}"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.stack[-1].children.append(Element(tag, {key: value or "" for key, value in attrs}))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        node = self.stack[-1].children[-1]
        if tag not in VOID and isinstance(node, Element):
            self.stack.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.stack[-1].children.append(data)


def read(path: Path) -> Element:
    return Tree(path.read_text(encoding="utf-8")).stack[0]


def row(key: str, budget: int, mean: Any, selection: str = "none", **changes: Any) -> dict[str, Any]:
    interval = [mean * 0.8, mean * 1.25] if isinstance(mean, float) else None
    return {
        "method": f"{key} method", "key": key, "budget": budget, "selection": selection, "mean": mean,
        "median": mean, "p90": mean, "interval": interval, "confidence": 0.95, "frames": 10, "runs": 2,
        "seeds": [0, 1], "unit": "m", **changes,
    }  # fmt: skip


def predictions(key: str, budget: int) -> list[dict[str, Any]]:
    """Two seeds on ten frames; by the mean over the seeds the worst are 7, 3, 9, 0, 1, 2, then 4, 5, 6, 8."""
    first = [0.030, 0.028, 0.026, 0.050, 0.010, 0.009, 0.008, 0.002, 0.007, 0.060]
    second = [0.030, 0.028, 0.026, 0.050, 0.010, 0.009, 0.008, 0.110, 0.007, 0.020]
    return [
        {
            "file": f"images/{i}.jpg", "key": key, "budget": budget, "seed": seed, "subset": 0,
            "truth": [-0.5 - 0.1 * i, 0.3], "prediction": [-0.5 - 0.1 * i + error, 0.3], "error": error,
            "truth_px": [10.0 * i, 40.0], "prediction_px": [10.0 * i + 3.0, 41.0], "visible": "full",
        }
        for seed, errors in enumerate((first, second))
        for i, error in enumerate(errors)
    ]  # fmt: skip


def make_result() -> dict[str, Any]:
    return {
        "format": "sim2real.transfer", "version": 1, "title": "cube & table", "rig": "cube_on_table",
        "target": "real photographs",
        "quantity": {
            "name": "cube position", "components": ["x", "y"], "unit": "m", "display_unit": "cm",
            "display_scale": 100.0, "frame": "robot",
        },
        "data": {
            "folder": "cube_on_table", "frames": 33,
            "left_out": [{"file": "images/4-0.jpg", "reason": "no visible target"}], "faulty": [],
            "split": {
                "rule": "odd columns held out", "train": ["images/a.jpg"],
                "test": [f"images/{i}.jpg" for i in range(10)], "sha256": "ab" * 32,
            },
        },
        "rows": [
            row("finetuned", 10, 0.0131, "k labelled frames"),
            row("finetuned", 5, 0.0162, "k labelled frames"),
            row("sim_only", 0, 0.0312),
            row("scratch", 10, 0.0744, "k labelled frames"),
            row("sim_only_aligned", 0, 0.0214),
            row("camera_refit", 10, 0.0158, "k labelled frames"),
            row("classical", 0, 0.0401),
            row("something_new", 5, 0.0333, "oracle"),
        ],
        "predictions": predictions("sim_only_aligned", 0) + predictions("finetuned", 10),
        "randomization": [
            {"target": "bodies.cube.rgb", "how": "set", "distribution": "uniform 0.6 to 1.0"},
            {"target": "camera.position_m", "how": "add", "distribution": "normal 0.01"},
        ],
        "pretraining": [
            {
                "seed": seed, "frames": 12000, "seconds": 400.0, "frames_per_s": 30.0,
                "backbone": "regnetx_002", "weights": "random", "loss": [[0, 1.0], [100, 0.2], [200, 0.1]],
            }
            for seed in (0, 1)
        ],
        "preview": None,
        "system": {"sim2real": "0.1.0", "python": "3.11", "cores": 2, "gpu": None, "created": "2026-01-01"},
        "commands": ["sim2real transfer --rig cube_on_table"],
    }  # fmt: skip


def write_photographs(folder: Path, names: list[str], width: int = 640, height: int = 480) -> None:
    """Photographs of noise, the hardest to compress."""
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        blocks = rng.integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / name), cv2.resize(blocks, (width, height)))


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    write_photographs(tmp_path / "data", [f"images/{i}.jpg" for i in range(10)], 160, 120)
    return tmp_path / "data"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `make_result` with its photographs, written once; tests only read it."""
    folder = tmp_path_factory.mktemp("page")
    write_photographs(folder / "data", [f"images/{i}.jpg" for i in range(10)], 160, 120)
    return write_report(make_result(), folder / "report", folder / "data")


@pytest.fixture(scope="module")
def page(written: Path) -> Element:
    return read(written)


def headline(page: Element) -> str:
    return page.all("p", class_="headline")[0].text()


def shown(result: dict[str, Any], folder: Path, images: Path | None = None) -> Element:
    return read(write_report(result, folder, images))


def test_one_h1_and_headings_in_order(page: Element) -> None:
    levels = [int(node.tag[1]) for node in page.walk() if re.fullmatch(r"h[1-6]", node.tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_picture_has_a_text_and_every_table_header_a_scope(page: Element) -> None:
    assert len(page.all("img")) == 20
    assert all(node.attributes.get("alt") for node in page.all("img"))
    assert all(node.attributes["scope"] in ("col", "row") for node in page.all("th"))
    for svg in page.all("svg"):
        assert svg.attributes.get("aria-label") or svg.attributes.get("aria-hidden") == "true"


def test_ids_are_unique_and_links_lead_somewhere(page: Element) -> None:
    ids = [node.attributes["id"] for node in page.walk() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    for node in page.walk():
        link = node.attributes.get("href", "")
        assert not link or (link.startswith("#") and link[1:] in ids)
        for name in node.attributes.get("aria-labelledby", "").split():
            assert name in ids


def test_page_loads_nothing(page: Element, written: Path) -> None:
    assert not page.all("script")
    assert not page.all("link")
    for node in page.walk():
        assert node.attributes.get("src", "data:").startswith("data:")
    text = written.read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert not re.findall(r"url\((?!#)", text)


def test_headline_has_the_numbers_of_the_rows(page: Element) -> None:
    assert headline(page) == (
        "Held-out real photographs: 2.1 cm [1.7, 2.7] without a real label, 1.3 cm [1.0, 1.6] after "
        "10 labelled frames (10 frames scored, 2 pretraining seeds)."
    )


def test_key_figures_compare_with_scratch_and_classical(page: Element) -> None:
    cards = [(node.children[0].text(), node.text()) for node in key_cards(page)]
    assert [name for name, _ in cards] == [
        "Without a real label", "After 10 labelled frames", "From scratch, 10 labelled frames",
        "Classical baseline",
    ]  # fmt: skip
    for (_, text), value in zip(cards, ("2.1 cm", "1.3 cm", "7.4 cm", "4.0 cm"), strict=True):
        assert value in text


def key_cards(page: Element) -> list[Any]:
    return [node for node in page.all("dl", class_="key")[0].children if isinstance(node, Element)]


def test_headline_takes_the_largest_budget_and_says_what_is_lower(tmp_path: Path) -> None:
    result = make_result()
    result["rows"][1]["mean"] = 0.0099
    page = shown(result, tmp_path)
    assert "after 10 labelled frames" in headline(page)
    assert "The lowest mean of all rows is 0.99 cm" in page.text()


def test_classical_and_oracle_rows_are_never_the_headline(tmp_path: Path) -> None:
    result = make_result()
    result["rows"] = [
        row("classical", 0, 0.001), row("scratch", 0, 0.001), row("sim_only", 0, 0.03),
        row("finetuned", 20, 0.001, "oracle"), row("finetuned", 5, 0.02, "k labelled frames"),
    ]  # fmt: skip
    text = headline(shown(result, tmp_path))
    assert "3.00 cm [2.40, 3.75] without a real label" in text
    assert "2.00 cm [1.60, 2.50] after 5 labelled frames" in text


def test_choice_among_label_free_methods_and_overlap_are_said(tmp_path: Path, page: Element) -> None:
    assert "the lowest of 2 label-free methods on these same frames" in page.text()
    assert "intervals overlap" not in page.text()
    result = make_result()
    result["rows"][0]["interval"] = [0.005, 0.018]
    assert "The two intervals overlap." in shown(result, tmp_path / "other").text()


def test_table_has_every_row_best_first_within_each_budget(page: Element) -> None:
    body = page.all("table", id="results")[0].all("tbody")[0]
    cells = [[cell.text() for cell in line.children if isinstance(cell, Element)] for line in body.all("tr")]
    assert len(cells) == 8
    assert [cell[:3] for cell in cells] == [
        ["sim_only_aligned method", "0", "2.1 [1.7, 2.7]"],
        ["sim_only method", "0", "3.1 [2.5, 3.9]"],
        ["classical method", "0", "4.0 [3.2, 5.0]"],
        ["finetuned method", "5", "1.6 [1.3, 2.0]"],
        ["something_new method", "5", "3.3 [2.7, 4.2]"],
        ["finetuned method", "10", "1.3 [1.0, 1.6]"],
        ["camera_refit method", "10", "1.6 [1.3, 2.0]"],
        ["scratch method", "10", "7.4 [6.0, 9.3]"],
    ]
    assert cells[4][5] == "oracle"
    assert cells[0][6:] == ["10", "2"]


def test_curve_names_its_units_and_an_unknown_method(page: Element) -> None:
    curve = page.all("svg", class_="curve")[0].text()
    assert "mean error (cm)" in curve
    assert "labelled frames" in curve
    assert "something_new method (selection:" in curve


def test_worst_frames_come_first_and_the_rest_is_folded(page: Element) -> None:
    section = page.all("section", id="frames")[0]
    folded = section.all("details")
    assert len(folded) == 2
    for i, heading in enumerate(("Without a real label", "After 10 labelled frames")):
        assert heading in section.all("h3")[i].text()
        rest = [tile.all("span", class_="file")[0].text() for tile in folded[i].all("figure", class_="tile")]
        assert rest == [f"images/{j}.jpg" for j in (4, 5, 6, 8)]
    inside = {id(tile) for fold in folded for tile in fold.all("figure", class_="tile")}
    top = [tile for tile in section.all("figure", class_="tile") if id(tile) not in inside]
    assert [tile.all("span", class_="file")[0].text() for tile in top] == WORST * 2
    assert top[0].all("b")[0].text() == "5.6 cm"
    assert "mean of 2 predictions, worst 11.0 cm" in top[0].text()
    assert [node.text() for node in section.all("h4")] == ["Worst frames (6 of 10)"] * 2


def test_overlay_is_in_pixels_of_the_original(tmp_path: Path) -> None:
    write_photographs(tmp_path, ["images/7.jpg"], 640, 480)
    result = make_result()
    result["predictions"] = [
        item for item in result["predictions"] if item["file"] == "images/7.jpg" and item["seed"] == 1
    ]
    tile = shown(result, tmp_path / "r", tmp_path).all("figure", class_="tile")[0]
    # Pixel (0, 0) is the centre of the top-left pixel, so the picture begins at -0.5.
    assert tile.all("svg")[0].attributes["viewbox"] == "-0.5 -0.5 640 480"
    ring = tile.all("circle", class_="mark")[0].attributes
    assert (float(ring["cx"]), float(ring["cy"])) == (70.0, 40.0)
    assert tile.all("path", class_="mark")[0].attributes["d"].startswith("M70.0 40.0L73.0 41.0M")
    data = base64.b64decode(tile.all("img")[0].attributes["src"].removeprefix("data:image/jpeg;base64,"))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape == (240, 320, 3)


def test_a_prediction_outside_the_picture_and_a_clipped_frame_are_named(tmp_path: Path, photographs: Path) -> None:
    result = make_result()
    result["predictions"][7].update(prediction_px=[900.0, 20.0], visible="clipped")
    tile = shown(result, tmp_path, photographs).all("figure", class_="tile")[0]
    assert "1 of 2 outside the picture" in tile.text()
    assert "cut by the picture border" in tile.text()


def test_held_out_simulation_is_never_called_real(tmp_path: Path, photographs: Path) -> None:
    result = make_result()
    result["target"] = "held-out simulation"
    page = shown(result, tmp_path, photographs)
    words = [page.text(), *(value for node in page.walk() for value in node.attributes.values())]
    found = [text for text in words if re.search(r"\breal\b|photograph", text, re.IGNORECASE)]
    assert not found
    assert headline(page).startswith("Held-out simulation: 2.1 cm [1.7, 2.7] without a target label, 1.3 cm")


def test_names_from_the_result_are_text_not_markup(tmp_path: Path) -> None:
    file = "images/<b id=x>&amp; 'q'.jpg"
    result = make_result()
    result["title"] = "<script>alert(1)</script>"
    result["rows"][4]["method"] = "<i>aligned</i> & more"
    result["data"]["left_out"] = [{"file": file, "reason": "<u>why</u>"}]
    result["predictions"] = [{**result["predictions"][0], "file": file}]
    result["commands"] = ["a < b && c > d"]
    page = shown(result, tmp_path)
    assert not page.all("script")
    assert not page.all("u")
    assert not [node for node in page.walk() if node.attributes.get("id") == "x"]
    assert page.all("h1")[0].text() == "Transfer report: <script>alert(1)</script>"
    assert page.all("figure", class_="tile")[0].all("span", class_="file")[0].text() == file
    assert f"{file} <u>why</u>" in page.text()
    assert "<i>aligned</i> & more" in page.all("table", id="results")[0].text()
    assert page.all("pre")[0].text() == "a < b && c > d"


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf")])
def test_what_is_not_finite_was_not_measured(tmp_path: Path, nothing: float | None) -> None:
    result = make_result()
    result["rows"][4].update(mean=nothing, median=nothing, interval=[nothing, nothing])
    result["predictions"][7]["error"] = result["predictions"][17]["error"] = nothing
    result["predictions"][3]["prediction"] = [nothing, 0.1]
    page = shown(result, tmp_path)
    first = [line.text() for line in page.all("table", id="results")[0].all("tr")[1:4]]
    assert "not measured" in first[2]
    assert first[2].startswith("sim_only_aligned method")
    assert headline(page).startswith("Held-out real photographs: 3.1 cm [2.5, 3.9] without a real label")
    assert not re.search(r"\bnan\b|\binf\b", page.text(), re.IGNORECASE)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["rows"][4]["mean"] is None


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    result = make_result()
    result["rows"] = [row("sim_only", 0, None), row("finetuned", 5, None, "k labelled frames")]
    page = shown(result, tmp_path)
    assert headline(page) == "Held-out real photographs: the error was not measured."
    assert "No row of this result has a measured error." in page.text()


def test_json_is_the_result(tmp_path: Path) -> None:
    result = make_result()
    before = copy.deepcopy(result)
    write_report(result, tmp_path, None)
    assert result == before
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == before
    assert load_result(tmp_path / "report.json") == before


def test_page_is_whole_from_required_fields_alone(tmp_path: Path) -> None:
    result = make_result()
    needed = {key: result[key] for key in ("format", "version", "title", "target", "quantity", "rows")}
    text = shown(needed, tmp_path).text()
    for sentence in (
        "No predictions were stored", "No positions were stored", "lists no randomized parameter",
        "No contact sheet", "The result states no rule.", "No test files are listed.",
        "lists no pretraining run", "Not stated.", "None stored.",
    ):  # fmt: skip
        assert sentence in text


def test_missing_pictures_are_counted(tmp_path: Path, photographs: Path) -> None:
    (photographs / "images/7.jpg").unlink()
    (photographs / "images/3.jpg").write_bytes(b"not a picture")
    (photographs / "images/9.jpg").write_bytes(b"")
    result = make_result()
    result["preview"] = "gone.png"
    page = shown(result, tmp_path, photographs)
    assert page.text().count("3 of 10 photographs could not be read from the folder.") == 2
    assert "The contact sheet gone.png could not be read." in page.text()
    assert len(page.all("img")) == 14
    assert len(page.all("figure", class_="tile")) == 20


def test_without_a_folder_the_frames_are_listed_by_name(tmp_path: Path) -> None:
    page = shown(make_result(), tmp_path)
    assert not page.all("img")
    assert "frames are listed by name only" in page.text()
    assert page.all("figure", class_="tile")[0].text() == ("images/7.jpg 5.6 cm mean of 2 predictions, worst 11.0 cm")


@pytest.mark.parametrize("absolute", [True, False])
def test_pictures_outside_the_folder_are_not_read(tmp_path: Path, photographs: Path, absolute: bool) -> None:
    write_photographs(tmp_path, ["secret.jpg"], 64, 48)
    result = make_result()
    name = str(tmp_path / "secret.jpg") if absolute else "images/../../secret.jpg"
    result["predictions"] = [{**result["predictions"][0], "file": name}]
    assert not shown(result, tmp_path / "r", photographs).all("img")


def test_contact_sheet_is_found_beside_the_result(tmp_path: Path) -> None:
    write_photographs(tmp_path, ["sheet.png"], 1600, 400)
    result = make_result()
    result["preview"] = "sheet.png"
    page = read(write_report(result, tmp_path / "report", None, base=tmp_path))
    assert [node.attributes["alt"] for node in page.all("img")] == ["Contact sheet of randomized training frames"]


def test_evidence_is_listed(page: Element) -> None:
    text = page.all("section", id="evidence")[0].text()
    for words in (
        "bodies.cube.rgb set uniform 0.6 to 1.0", "odd columns held out", "1 training file", "10 test files",
        "ab" * 32, "images/4-0.jpg no visible target", "Faulty frames None.", "6.7 min", "regnetx_002",
        "cores 2", "gpu none", "sim2real transfer --rig cube_on_table",
    ):  # fmt: skip
        assert words in text, words
    assert len(page.all("svg", class_="loss")) == 1
    assert "Warning" not in text


def test_a_split_that_contradicts_itself_is_warned_of(tmp_path: Path) -> None:
    result = make_result()
    result["data"]["split"]["train"] = ["images/0.jpg", "images/1.jpg"]
    result["predictions"][0]["file"] = "images/unknown.jpg"
    text = shown(result, tmp_path).text()
    assert "Warning: 2 files of the training list are in the test list as well." in text
    assert "Warning: 1 predicted file is not in the test list." in text


def test_of_three_components_the_two_widest_are_drawn(tmp_path: Path) -> None:
    result = make_result()
    result["quantity"]["components"] = ["x", "height", "y"]
    for i, item in enumerate(result["predictions"]):
        item["truth"] = [item["truth"][0], 0.33, 0.05 * (i % 10)]
        item["prediction"] = [item["prediction"][0], 0.34, 0.05 * (i % 10)]
    page = shown(result, tmp_path)
    section = page.all("section", id="positions")[0].text()
    assert "the two with the widest range are drawn: x and y." in section
    assert "y (cm, robot frame)" in section
    assert "height (cm" not in section


def test_a_single_component_is_drawn_against_its_truth(tmp_path: Path) -> None:
    result = make_result()
    result["quantity"]["components"] = ["x"]
    for item in result["predictions"]:
        item.update(truth=item["truth"][:1], prediction=item["prediction"][:1])
    assert "predicted x (cm)" in shown(result, tmp_path).all("section", id="positions")[0].text()


def test_size_stays_small_with_thirty_photographs(tmp_path: Path) -> None:
    names = [f"images/{i}.jpg" for i in range(30)]
    write_photographs(tmp_path, names)
    result = make_result()
    result["predictions"] = [
        {**result["predictions"][0], "file": name, "key": key, "budget": budget}
        for key, budget in (("sim_only_aligned", 0), ("finetuned", 10))
        for name in names
    ]
    path = write_report(result, tmp_path / "report", tmp_path)
    assert len(read(path).all("img")) == 60
    assert 300_000 < path.stat().st_size < 6_000_000


def test_many_frames_are_cut_off_and_counted(tmp_path: Path) -> None:
    result = make_result()
    result["predictions"] = [{**result["predictions"][0], "file": f"{i}.jpg", "error": i / 1000} for i in range(100)]
    page = shown(result, tmp_path)
    assert len(page.all("figure", class_="tile")) == 40
    assert "Worst frames (6 of 100)" in page.text()
    assert "60 more frames with smaller errors are in report.json." in page.text()


def test_files_are_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(make_result(), tmp_path, None)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["report.html", "report.json"]
    before = path.read_bytes()

    def fail(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report({**make_result(), "title": "other"}, tmp_path, None)
    assert path.read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["report.html", "report.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "format must be 'sim2real.transfer', got 'other'"),
        ({"version": 2}, "version must be 1, got 2"),
        ({"version": True}, "version must be 1, got True"),
        ({"target": "real robot"}, "target must be 'real photographs' or 'held-out simulation', got 'real"),
        ({"rows": None}, "rows must be a list of objects, got None"),
        ({"rows": [row("a", 0, 0.1, unit="cm")]}, "rows[0].unit must be 'm', got 'cm'"),
        ({"rows": [row("a", -1, 0.1)]}, "rows[0].budget must be a whole number of 0 or more, got -1"),
        ({"rows": [row("a", 0, 0.1), row("b", 0, "low")]}, "rows[1].mean must be a number or null"),
        ({"rows": [row("a", 0, 0.1, interval=[1.0])]}, "rows[0].interval must be two numbers or null"),
        ({"predictions": {}}, "predictions must be a list, got {}"),
    ],
)
def test_a_wrong_field_is_named_in_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(make_result() | change), encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_result(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=re.escape(message)):
        write_report(make_result() | change, tmp_path / "report", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"commands": [1]}, "commands must be a list of texts, got [1]"),
        ({"data": {"faulty": [{"reason": "blue"}]}}, "data.faulty[0].file must be text, got nothing"),
        ({"data": {"split": {"test": "all"}}}, "data.split.test must be a list, got 'all'"),
        ({"pretraining": [{"frames": 0.5}]}, "pretraining[0].frames must be a whole number of 0 or more"),
    ],
)
def test_wrong_evidence_stops_the_report_before_it_is_written(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        write_report(make_result() | change, tmp_path / "report", None)
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "No such file"), ("{", "result must be JSON"), ("[]", "result must be a JSON object, got list")],
)
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "result.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        load_result(path)
    assert str(path) in str(caught.value)


def test_no_width_scrolls_sideways_in_a_browser(tmp_path: Path, photographs: Path) -> None:
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((found for name in names if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(HAS_NO_BROWSER)
    result = make_result()
    result["rows"][0]["note"] = "long" * 20
    result["title"] = "a_long_name_without_a_space_" * 4
    result["commands"] = ["sim2real transfer " + "--option value " * 20]
    write_report(result, tmp_path, photographs)
    # Headless Chromium opens no window narrower than about 500 px, so each size is a frame in a wider page.
    sizes = ((1400, 900), (390, 844))
    frames = "".join(f'<iframe src="report.html" width="{w}" height="{h}"></iframe>' for w, h in sizes)
    script = """onload = () => { document.title = [...document.querySelectorAll("iframe")].map(frame => {
        const page = frame.contentDocument
        page.querySelectorAll("details").forEach(item => { item.open = true })
        const bars = [...page.querySelectorAll("svg.plot")].filter(item => item.clientWidth > 0)
        return [page.documentElement.scrollWidth, page.documentElement.clientWidth, bars.length].join("/")
    }).join(" ") }"""
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(
        f"<!DOCTYPE html><style>iframe {{ border: 0 }}</style>{frames}<script>{script}</script>",
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--hide-scrollbars", "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1600,1800", "--virtual-time-budget=5000", "--dump-dom", wrapper.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    # Scroll width, window width, figures shown: one curve, two drawings of positions, one of the loss.
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None, done.stdout[:500]
    assert title[1] == "1400/1400/4 390/390/4"
