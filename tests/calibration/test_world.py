import pytest

from calibration.world import (
    BodyParams,
    CameraParams,
    JointParams,
    LightParams,
    WorldParams,
    paths,
    with_values,
)

WORLD = WorldParams(
    (BodyParams("cube", "object", rgb=(0.1, 0.2, 0.3)), BodyParams("table", "surface")),
    (JointParams("q1", 0.5), JointParams("q2", -0.5)),
    LightParams(ambient=0.4),
    noise_seed=7,
)


FIELDS = {
    "bodies.cube": "position_m rpy_rad size_scale shape_scale rgb texture present specular roughness metallic matte "
    "velocity_m_s angular_velocity_rad_s",
    "bodies.table": "position_m rpy_rad size_scale shape_scale rgb texture present specular roughness metallic matte "
    "velocity_m_s angular_velocity_rad_s",
    "joints.q1": "position velocity",
    "joints.q2": "position velocity",
    "light": "azimuth_rad elevation_rad rgb ambient diffuse specular shadow shadow_strength size_rad",
    "camera": "shift_m tilt_rad focal_scale principal_shift distortion_shift velocity_m_s angular_velocity_rad_s",
    "background": "rgb texture",
    "lens": "aperture_m focus_m chromatic",
    "shutter": "exposure_s readout_s",
    "sensor": "exposure_ev white_balance saturation hue_rad gamma contrast haze shading vignetting blur_px noise grain "
    "jpeg_quality channels auto_exposure auto_white_balance shoulder full_well_e read_noise_e bayer",
    "depth": "noise_m noise_per_m step_per_m edge_px lateral_px dropout near_m far_m",
}


def test_every_value_but_names_has_a_path() -> None:
    assert set(paths(WORLD)) == {f"{owner}.{name}" for owner, names in FIELDS.items() for name in names.split()}


def test_with_values_replaces_what_the_paths_name_and_nothing_else() -> None:
    changed = with_values(
        WORLD,
        {
            "bodies.cube.rgb": (1.0, 0.0, 0.0),
            "joints.q2.position": 1.5,
            "light.shadow": False,
            "camera.focal_scale": 1.1,
        },
    )
    before, after = paths(WORLD), paths(changed)
    differing = {p for p in before if before[p] != after[p]}
    assert differing == {"bodies.cube.rgb", "joints.q2.position", "light.shadow", "camera.focal_scale"}
    assert changed.body("cube").rgb == (1.0, 0.0, 0.0)
    assert changed.joint_positions() == {"q1": 0.5, "q2": 1.5}
    assert changed.camera == CameraParams(focal_scale=1.1)
    assert changed.noise_seed == 7
    assert WORLD.body("cube").rgb == (0.1, 0.2, 0.3), "the given world is unchanged"


def test_a_world_with_its_own_values_is_itself() -> None:
    assert with_values(WORLD, paths(WORLD)) == WORLD
    assert with_values(WORLD, {}) == WORLD


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("bodies.cup.rgb", "bodies.cup"),
        ("bodies.cube.colour", "BodyParams.colour"),
        ("joints.q9.position", "joints.q9"),
        ("light.warmth", "LightParams.warmth"),
        ("weather.rain", "weather.rain"),
        ("noise_seed", "noise_seed"),
        ("bodies.cube", "bodies.cube"),
        ("bodies.cube.rgb.red", "bodies.cube.rgb.red"),
        ("light.rgb.red", "light.rgb.red"),
        ("joints", "joints"),
    ],
)
def test_a_path_that_the_world_does_not_have(path: str, named: str) -> None:
    with pytest.raises(KeyError) as error:
        with_values(WORLD, {path: 1.0})
    assert error.value.args == (named,)


def test_a_body_that_is_not_there() -> None:
    with pytest.raises(KeyError, match="cup"):
        WORLD.body("cup")
