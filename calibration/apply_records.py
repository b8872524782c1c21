"""Put what calibration measured into a rig: nominal values, and the widths of what is left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.calibration_record import CalibrationRecord
from calibration.camera import CameraIntrinsics, LensModel
from calibration.errors import InputError
from calibration.measured import Measured, measured
from calibration.pose import Pose
from calibration.records import read_record
from calibration.rig import Camera, MountedCamera, Rig

Float = NDArray[np.float64]

# Shares of a picture's shape by which a record of another size may differ.
_SHAPE = 0.01
# What the five numbers of a world's lens are, by model.
_SHIFTED: dict[LensModel, tuple[str, ...]] = {
    "pinhole": ("k1", "k2", "p1", "p2", "k3"),
    "fisheye": ("k1", "k2", "k3", "k4", ""),
}


def apply_records(rig: Rig, records: Sequence[CalibrationRecord]) -> Rig:
    """Return the rig with what the records measured; a later record wins.

    Records of kind "hand_eye" and "camera" set the pose of the camera, and its lens when that was fitted too, those of
    kind "intrinsics" its lens. A camera on the wrist is the rig's camera that hangs on a link of the robot. Those of
    kind "photometry" set how the sensor's values vary. `rig.measured` then has the errors, for randomization.

    Raises:
        InputError: a record with a fault, of another size of pictures, or of a camera that the rig does not have.
    """
    for record in records:
        if not record.is_usable:
            fault = next(f for f in record.findings if f.level == "fault")
            raise InputError(
                f"record of {record.source} has a fault and is not applied: {fault.what}; {fault.next_step}"
            )
        if record.kind in ("hand_eye", "camera", "intrinsics"):
            rig = _with_camera(rig, record)
        elif record.kind == "photometry":
            rig = _with_sensor(rig, record)
        else:
            raise InputError(f"a record of kind '{record.kind}' ({record.source}) is not of a rig's camera or sensor")
    return rig


def with_records(rig: Rig, where: str) -> Rig:
    """Return the rig with the records that its file names.

    Raises:
        InputError: a record is missing or cannot be applied.
    """
    try:
        return apply_records(rig, [read_record(_found(rig.folder, name), CalibrationRecord) for name in rig.records])
    except InputError as error:
        raise InputError(f"{where}: records: {error}") from None


def _found(folder: Path, name: str) -> Path:
    path = Path(name)
    return path if path.is_absolute() else folder / path


def _with_camera(rig: Rig, record: CalibrationRecord) -> Rig:
    name = "main"
    if record.quality.get("camera.on_wrist"):
        on_links = [c.name for c in rig.cameras if c.parent != "world"]
        if len(on_links) != 1:
            raise InputError(
                f"record of {record.source} is of a camera on the wrist, and rig {rig.name} has {len(on_links)} "
                "cameras on links of its robot; add one under [[cameras]]"
            )
        name = on_links[0]
    camera = rig.camera_named(name)
    lens = _lens(camera.intrinsics(), record)
    pose = camera.world_from_camera()
    if record.kind != "intrinsics":
        position = tuple(record.quality[f"camera.{axis}_m"] for axis in "xyz")
        quat = tuple(record.quality[f"camera.q{axis}"] for axis in "xyzw")
        found = Pose("mount", "camera", position, quat)  # type: ignore[arg-type]
        pose = found if name != "main" or record.kind == "camera" else _in_world(rig, found)
    widths = _widths(record, lens, name)
    changed = _camera_with(camera, lens, pose, widths)
    kept = tuple(m for m in rig.measured if not set(m.targets) & set(widths.targets if widths else ()))
    rig = replace(rig, measured=kept + ((widths,) if widths else ()))
    if isinstance(changed, MountedCamera):
        return replace(rig, cameras=tuple(changed if c.name == name else c for c in rig.cameras))
    return replace(rig, camera=changed)


def _in_world(rig: Rig, base_from_camera: Pose) -> Pose:
    """Return world_from_camera; the base is the robot's, or in a rig without one the frame of its labels."""
    if rig.robot is not None:
        world_from_base = Pose.from_rpy("world", "mount", rig.robot.position_m, rig.robot.rpy_rad)
    else:
        world_from_base = Pose.from_rpy("world", "mount", rig.label_frame_position_m, rig.label_frame_rpy_rad)
    return world_from_base @ base_from_camera


def _lens(camera: CameraIntrinsics, record: CalibrationRecord) -> CameraIntrinsics:
    """Return the lens of a record at the size of the rig's pictures; the given one if the record has none."""
    values = {n.removeprefix("camera."): e.value for n, e in record.estimates.items() if n.startswith("camera.")}
    if not {"fx_px", "f_px"} & set(values):
        return camera
    width, height = round(record.quality["width_px"]), round(record.quality["height_px"])
    if abs(width / height - camera.width_px / camera.height_px) > _SHAPE * width / height:
        raise InputError(
            f"record of {record.source} is of pictures of {width} x {height}, and the rig's have another shape: "
            f"{camera.width_px} x {camera.height_px}; are they cropped?"
        )
    fx = values.get("fx_px", values.get("f_px", 0.0))
    model: LensModel = "fisheye" if "k4" in values and "p1" not in values else "pinhole"
    names = _SHIFTED[model]
    if model == "pinhole" and "k4" in values:
        names += ("k4", "k5", "k6")
    fitted = CameraIntrinsics(
        width,
        height,
        fx,
        values.get("fy_px", fx),
        values.get("cx_px", (width - 1) / 2),
        values.get("cy_px", (height - 1) / 2),
        tuple(values.get(name, 0.0) for name in names),
        model,
    )
    return fitted.resized(camera.width_px, camera.height_px)


def _widths(record: CalibrationRecord, lens: CameraIntrinsics, name: str) -> Measured | None:
    """Return how well the camera is known, as errors of the world's own values."""
    owner = "camera" if name == "main" else f"mounts.{name}"
    rows: dict[str, Float] = {}
    order = {n.removeprefix("camera."): k for k, n in enumerate(record.correlated)}

    def row(**shares: float) -> Float:
        out = np.zeros(len(record.correlated))
        for key, share in shares.items():
            out[order[key]] = share
        return out

    for k, axis in enumerate("xyz"):
        if f"shift_{axis}_m" in order:
            rows[f"{owner}.shift_m[{k}]"] = row(**{f"shift_{axis}_m": 1.0})
    for k, axis in enumerate("xyz"):
        if f"tilt_{axis}_rad" in order:
            rows[f"{owner}.tilt_rad[{k}]"] = row(**{f"tilt_{axis}_rad": 1.0})
    if name == "main":
        scale = lens.width_px / record.quality.get("width_px", lens.width_px)
        if "focal_scale" in order:
            rows["camera.focal_scale"] = row(focal_scale=1.0)
        elif "f_px" in order:
            rows["camera.focal_scale"] = row(f_px=scale / lens.fx_px)
        elif "fx_px" in order:
            rows["camera.focal_scale"] = row(fx_px=0.5 * scale / lens.fx_px, fy_px=0.5 * scale / lens.fy_px)
        for k, (key, size) in enumerate((("cx_px", lens.width_px), ("cy_px", lens.height_px))):
            if key in order:
                rows[f"camera.principal_shift[{k}]"] = row(**{key: scale / size})
        # Numbers of a rational lens are known together only, and a world's lens has no channels for the last three.
        if len(lens.distortion) == len(_SHIFTED["pinhole"]):
            for k, key in enumerate(_SHIFTED[lens.model]):
                if key in order:
                    rows[f"camera.distortion_shift[{k}]"] = row(**{key: 1.0})
    if not rows:
        return None
    to_world = np.array(list(rows.values()))
    covariance = to_world @ record.covariance_matrix() @ to_world.T
    mean = tuple(1.0 if target.endswith("focal_scale") else 0.0 for target in rows)
    return measured(f"{record.kind} of {record.source}", tuple(rows), mean, covariance)


def _camera_with(camera: Camera, lens: CameraIntrinsics, pose: Pose, widths: Measured | None) -> Camera:
    stds = {} if widths is None else dict(zip(widths.targets, widths.std, strict=True))

    def of(part: str, otherwise: float) -> float:
        found = [v for target, v in stds.items() if f".{part}" in target]
        return float(np.sqrt(np.mean(np.square(found)))) if found else otherwise

    return replace(
        camera,
        focal_px=(lens.fx_px, lens.fy_px),
        vertical_fov_rad=None,
        principal_point_px=(lens.cx_px, lens.cy_px),
        distortion=lens.distortion,
        lens=lens.model,
        position_m=pose.position_m,
        look_at_m=None,
        quat_xyzw=pose.quat_xyzw,
        position_std_m=of("shift_m", camera.position_std_m),
        rotation_std_rad=of("tilt_rad", camera.rotation_std_rad),
        focal_std=of("focal_scale", camera.focal_std),
    )


def _with_sensor(rig: Rig, record: CalibrationRecord) -> Rig:
    """Return the rig with how its sensor's values vary, at the size that a model sees.

    A picture that is made smaller by averaging loses blur and noise by the same factor; grain, which is two pixels
    wide, half as much. The cast of the whole station is not known better than the colours in view are (see
    `station_balance`), so the interval of that guess is part of the width about 1. The level of exposure is the
    light's, which photographs alone do not tell from the sensor's, and is left to the preset.
    """
    share = rig.input_size_px[0] / rig.camera.image_size_px[0]
    factors = {
        "sensor.noise": share,
        "sensor.grain": min(1.0, 2.0 * share),
        "sensor.blur_px": share,
        "sensor.gamma": 1.0,
    }
    values = {
        name: (record.estimates[name].value * factor, record.estimates[name].std() * factor)
        for name, factor in factors.items()
        if name in record.estimates
    }
    for number, channel in ((0, "r"), (2, "b")):
        spread, level = (record.estimates.get(f"sensor.white_balance.{channel}{end}") for end in (".std", ""))
        if spread is not None and level is not None:
            values[f"sensor.white_balance[{number}]"] = (1.0, float(np.hypot(spread.value, level.std())))
    if not values:
        return rig
    names = tuple(values)
    mean, std = tuple(m for m, _ in values.values()), tuple(s for _, s in values.values())
    entry = Measured(f"photometry of {record.source}", names, mean, std)
    return replace(rig, measured=(*(m for m in rig.measured if not set(m.targets) & set(names)), entry))
