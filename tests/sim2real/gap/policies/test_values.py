"""Hidden values in words."""

from sim2real.gap.policies.telling.values import said_values


def test_the_same_change_of_many_parts_is_said_once() -> None:
    values = {f"motors.joint{k}.gain_scale": 0.5 for k in range(7)}
    assert said_values(values, dict.fromkeys(values, 1.0)) == "gain_scale 1 to 0.5"
    tilt = {"gravity.tilt_rad": [0.01, -0.02]}
    assert said_values(tilt, {"gravity.tilt_rad": (0.0, 0.0)}) == "tilt_rad (0, 0) to (0.01, -0.02)"
    many = {f"light.value{k}": 1.0 * k for k in range(5)}
    assert said_values(many, dict.fromkeys(many, 0.0)) == "value0 0 to 0; value1 0 to 1; and 3 more"
    assert said_values({"bodies.table.texture": "planks:3"}, {"bodies.table.texture": "none"}) == (
        "texture none to planks:3"
    )
