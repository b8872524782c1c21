"""`sim2real calibrate check`: does the station still match its record?"""

from __future__ import annotations

from calibration.errors import InputError
from calibration.records import read_record, write_record
from calibration.rig_file import load_rig
from calibration.station_check import check_station
from calibration.station_record import StationRecord, station_record
from sim2real import __version__
from sim2real.calibrate.configs import CheckConfig
from sim2real.calibrate.inputs import read_pictures


def run(config: CheckConfig) -> tuple[str, int]:
    """Compare, or make the record; return lines to print and the exit status: 0 as before, 3 changed.

    Raises:
        InputError: too few photographs, or a record that cannot be read.
    """
    frames = [picture for _, picture in read_pictures(config.real)]
    if not config.record.exists():
        if not config.record.parent.is_dir():
            raise InputError(f"--record must be a file in a folder that exists, got {config.record}")
        record = station_record(frames, source=str(config.real))
        write_record(config.record, record, {"tool": f"sim2real {__version__}", "source": str(config.real)})
        return f"record: {config.record}, of {len(frames)} photographs; give it new ones to compare", 0
    record = read_record(config.record, StationRecord)
    camera = None if config.rig is None else load_rig(config.rig).camera.intrinsics()
    result = check_station(record, frames, intrinsics=camera, source=str(config.real))
    numbers = ", ".join(f"{name} {value:.3g}" for name, value in result.measured.items())
    lines = [f"{result.verdict}: {len(frames)} photographs against {config.record} ({numbers})"]
    lines += [f"  {finding}" for finding in result.findings]
    return "\n".join(lines), 0 if result.verdict == "ok" else 3
