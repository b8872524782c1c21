"""What a station's frames tell about its camera: noise, exposure, white balance, tone, falloff, blur, channel order."""

from calibration.photometry.measure import measure_photometry
from calibration.photometry.photon_transfer import measure_sensor_noise
from calibration.photometry.tone import measure_tone_curve

__all__ = ["measure_photometry", "measure_sensor_noise", "measure_tone_curve"]
