from pathlib import Path

import numpy as np
import pytest

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig
from calibration.world import changed_values, paths
from envs.standin import Station, write_standin
from envs.standin.causes import CAUSES
from envs.tasks import make_task

TASK = make_task("Push", load_rig("panda_tabletop"))
NOMINAL = TASK.nominal_world()


def hidden(station: Station) -> dict[str, dict[str, object]]:
    return station.hidden(TASK.rig, NOMINAL)


def numbers(values: dict[str, object]) -> np.ndarray:
    """Return how far numeric values are from nominal; strings and switches count nothing."""
    known = paths(NOMINAL)
    found = [np.subtract(v, known[p]).ravel() for p, v in values.items() if not isinstance(v, (str, bool))]
    return np.concatenate(found) if found else np.zeros(1)


def test_the_world_has_the_hidden_values_and_no_others() -> None:
    for station in (Station(3, "hard"), Station.planted(["camera tilt", "mass"])):
        changed = changed_values(station.world(TASK.rig, NOMINAL), paths(NOMINAL))
        told = {path: value for own in hidden(station).values() for path, value in own.items()}
        assert changed == {path: value for path, value in told.items() if repr(value) != repr(paths(NOMINAL)[path])}
        assert changed


@pytest.mark.parametrize("cause", CAUSES)
def test_a_planted_cause_changes_its_own_values_alone_and_more_with_its_size(cause: str) -> None:
    small, large = (hidden(Station.planted([cause], size, seed=2)) for size in (0.5, 1.0))
    if cause == "distractors":
        # Present or not, by chance.
        assert set(large) <= {cause}
        return
    assert set(small) == set(large) == {cause}
    if cause not in ("background", "texture"):
        assert np.abs(numbers(large[cause])).sum() > 1.2 * np.abs(numbers(small[cause])).sum()


def test_two_causes_have_the_values_that_each_has_alone() -> None:
    both = hidden(Station.planted(["friction", "camera tilt"], 0.7, seed=5))
    for name in ("friction", "camera tilt"):
        assert both[name] == hidden(Station.planted([name], 0.7, seed=5))[name]
    assert len(both) == 2


def test_harder_stations_are_farther_from_nominal() -> None:
    sizes = {d: np.array([list(Station(k, d).sizes().values()) for k in range(20)]) for d in ("mild", "medium", "hard")}  # type: ignore[arg-type]
    assert 0 < sizes["mild"].min() < sizes["mild"].max() <= 0.3
    assert sizes["mild"].mean() < sizes["medium"].mean() < sizes["hard"].mean() <= 1.0
    assert (sizes["hard"] > sizes["mild"]).all()


def test_stations_differ_and_repeat() -> None:
    assert hidden(Station(1)) == hidden(Station(1))
    assert hidden(Station(1))["camera tilt"] != hidden(Station(2))["camera tilt"]
    assert set(hidden(Station(1))) >= set(CAUSES) - {"distractors"}


def test_a_world_of_single_frames_has_the_causes_that_are_seen() -> None:
    rig = load_rig("cube_on_table")
    found = Station(1, "hard").hidden(rig, nominal_world(rig))
    assert {CAUSES[name].of for name in found} == {"seeing"}
    assert set(found) >= {"camera tilt", "camera position", "focal length", "light", "noise", "texture"}


def test_names_say_held_out_simulation() -> None:
    assert Station(4, "medium").name == "held-out simulation 4 (medium)"
    planted = Station.planted(["friction", "mass"], 0.5, 7)
    assert planted.name == "held-out simulation 7 (friction and mass planted, size 0.5)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Station(-1), "station must be 0 or more, got -1"),
        (lambda: Station(0, "brutal"), "difficulty must be one of mild, medium, hard, got 'brutal'"),
        (lambda: Station.planted(["ghosts"]), "cause must be one of camera tilt, .*, got 'ghosts'"),
        (lambda: Station.planted([]), "causes must be a list of one or more of"),
        (lambda: Station.planted("mass"), "causes must be a list of one or more of"),
        (lambda: Station.planted(["mass"], 0.0), "size of planted causes must be above 0, got 0"),
    ],
)
def test_a_station_that_cannot_be_says_why(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]


def test_pictures_of_a_planted_cause_differ_by_it_alone(tmp_path: Path) -> None:
    import cv2

    rig = load_rig("cube_on_table")
    # Without a size to speak of nothing is other.
    for name, size in (("nominal", 1e-6), ("noise", 1.0), ("again", 1.0)):
        write_standin(rig, tmp_path / name, 1, 0, Station.planted(["noise"], size))
    assert (tmp_path / "nominal" / "labels.csv").read_text() == (tmp_path / "noise" / "labels.csv").read_text()
    plain, noisy, again = (
        cv2.imread(str(tmp_path / n / "images" / "000.jpg")).astype(float) for n in ("nominal", "noise", "again")
    )
    np.testing.assert_array_equal(noisy, again)
    # Noise has no mean and is there everywhere.
    assert abs((noisy - plain).mean()) < 1.5
    assert np.abs(noisy - plain).mean() > 2.0
