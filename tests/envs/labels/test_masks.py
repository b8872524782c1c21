import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from envs.labels.masks import (
    coco_rle,
    mask_of_runs,
    packed_runs,
    polygons,
    run_lengths,
    visible_areas,
    visible_mask,
)

# pycocotools' own arrays are behind NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def masks() -> dict[str, NDArray[np.bool_]]:
    rng = np.random.default_rng(3)
    discs = np.zeros((90, 130), np.uint8)
    for _ in range(6):
        cv2.circle(discs, (int(rng.integers(130)), int(rng.integers(90))), int(rng.integers(3, 30)), 1, -1)
    one = np.zeros((7, 9), bool)
    one[3, 4] = True
    corner = np.zeros((5, 6), bool)
    corner[0, 0] = corner[4, 5] = True
    touching = np.zeros((6, 6), bool)
    touching[1:3, 1:3] = touching[3:5, 3:5] = True
    return {
        "noise": rng.random((37, 53)) < 0.4,
        "discs": discs.astype(bool),
        "nothing": np.zeros((6, 4), bool),
        "everything": np.ones((6, 4), bool),
        "one pixel": one,
        "corners": corner,
        "touching at a corner": touching,
        "long runs": np.arange(400 * 300).reshape(300, 400) > 70_000,
    }


MASKS = masks()


@pytest.mark.parametrize("name", MASKS)
def test_run_lengths_are_those_of_coco(name: str) -> None:
    mask = MASKS[name]
    reference = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    rle = coco_rle(mask)
    assert rle == {"size": list(mask.shape), "counts": reference["counts"].decode()}
    assert packed_runs(run_lengths(mask)) == rle["counts"]
    np.testing.assert_array_equal(coco.decode(rle), mask)
    np.testing.assert_array_equal(mask_of_runs(run_lengths(mask), *mask.shape), mask)
    plain = coco.frPyObjects({"size": list(mask.shape), "counts": run_lengths(mask)}, *mask.shape)
    assert plain["counts"] == reference["counts"]


@pytest.mark.parametrize("name", MASKS)
def test_polygons_cover_the_pixels_of_the_mask(name: str) -> None:
    mask = MASKS[name]
    height, width = mask.shape
    # A hole is an empty part that does not reach the border, around which a frame of empty pixels is put.
    outside = cv2.floodFill(np.pad(mask, 1).astype(np.uint8), None, (0, 0), 2, flags=4)[1]
    found = polygons(mask)
    if (outside == 0).any():
        assert found is None
        return
    assert found is not None
    if not found:
        assert not mask.any()
        return
    assert all(len(line) >= 8 for line in found)
    merged = coco.merge(coco.frPyObjects(found, height, width))
    np.testing.assert_array_equal(coco.decode(merged), mask)


@pytest.mark.parametrize("seed", range(40))
def test_polygons_of_random_masks_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = cv2.resize(rng.random((8, 11)).astype(np.float32), (33, 24), interpolation=cv2.INTER_CUBIC) > 0.62
    found = polygons(mask)
    if found is not None:
        merged = coco.merge(coco.frPyObjects(found, *mask.shape))
        np.testing.assert_array_equal(coco.decode(merged), mask)


def test_a_rectangle_has_four_corners() -> None:
    mask = np.zeros((20, 30), bool)
    mask[4:9, 6:16] = True
    found = polygons(mask)
    assert found is not None
    assert sorted(zip(found[0][::2], found[0][1::2], strict=True)) == [(6, 4), (6, 9), (16, 4), (16, 9)]
    assert len(found) == 1


def test_areas_count_pixels_of_each_body() -> None:
    segmentation = np.random.default_rng(0).integers(-1, 5, (3, 20, 30)).astype(np.int16)
    areas = visible_areas(segmentation, 6)
    assert areas.shape == (3, 6)
    for frame, row in zip(segmentation, areas, strict=True):
        assert row.tolist() == [int(visible_mask(frame, k).sum()) for k in range(6)]
        assert visible_areas(frame, 6).tolist() == row.tolist()


def test_runs_that_do_not_fill_the_picture() -> None:
    with pytest.raises(ValueError, match="must sum up to 4 x 3, got 11"):
        mask_of_runs([5, 6], 3, 4)
