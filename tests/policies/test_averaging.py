import numpy as np
import pytest
import torch

from policies.averaging import predict_over_views
from policies.perception import ModelSpec, PerceptionModel, Prediction

CPU = torch.device("cpu")
SIZE = (96, 64)


class Brightest(PerceptionModel):
    """Finds the brightest spot, but answers with the middle of a cell of 4 pixels, as a coarse heatmap would."""

    def predict(self, pictures: np.ndarray, device: torch.device, batch: int = 16) -> Prediction:
        weight = np.maximum(pictures[..., 0].astype(float) - 60.0, 0.0)
        rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
        total = weight.sum(axis=(1, 2))
        place = np.stack([(weight * columns).sum(axis=(1, 2)), (weight * rows).sum(axis=(1, 2))], axis=-1)
        cell = np.floor(place / total[:, None] / 4.0) * 4.0 + 1.5
        return Prediction(cell[:, None], np.ones((len(pictures), 1)), None)


@pytest.fixture(scope="module")
def model() -> Brightest:
    return Brightest(ModelSpec("test_resnet", "keypoints", 1, SIZE))


def spots(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    places = rng.uniform([20, 20], [76, 44], (count, 2))
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    squared = (columns - places[:, :1, None]) ** 2 + (rows - places[:, 1:, None]) ** 2
    grey = 40 + 200 * np.exp(-0.5 * squared / 3.0**2)
    return grey[..., None].repeat(3, axis=-1).astype(np.uint8), places


def test_views_average_out_the_cells(model: Brightest) -> None:
    pictures, places = spots(24)
    errors = {}
    for views in (1, 16):
        found = predict_over_views(model, pictures, CPU, views).keypoints_px
        assert found is not None
        errors[views] = np.linalg.norm(found[:, 0] - places, axis=1).mean()
    assert errors[1] > 1.2  # a cell of 4 pixels: 1.53 on average
    assert errors[16] < 0.75 * errors[1]


def test_one_view_is_the_picture_itself(model: Brightest) -> None:
    pictures, _ = spots(5)
    np.testing.assert_array_equal(
        predict_over_views(model, pictures, CPU, 1).keypoints_px, model.predict(pictures, CPU).keypoints_px
    )


def test_a_prediction_does_not_depend_on_the_other_pictures(model: Brightest) -> None:
    pictures, _ = spots(6)
    together = predict_over_views(model, pictures, CPU, 5).keypoints_px
    alone = predict_over_views(model, pictures[3:4], CPU, 5).keypoints_px
    assert together is not None
    assert alone is not None
    np.testing.assert_array_equal(together[3], alone[0])


def test_a_regression_head_sees_the_picture_alone() -> None:
    torch.manual_seed(0)
    model = PerceptionModel(ModelSpec("test_resnet", "regression", 1, SIZE))
    pictures, _ = spots(2)
    found = predict_over_views(model, pictures, CPU, 4)
    assert found.keypoints_px is None
    np.testing.assert_array_equal(found.points_m, model.predict(pictures, CPU).points_m)


def test_no_view_is_an_error(model: Brightest) -> None:
    with pytest.raises(ValueError, match="views must be 1 or more, got 0"):
        predict_over_views(model, spots(1)[0], CPU, 0)
