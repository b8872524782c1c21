"""Where a camera is on or beside a robot: hand-eye and robot-world calibration."""
