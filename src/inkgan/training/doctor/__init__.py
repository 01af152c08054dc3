"""What a run's signals say about its health, in words for people who train a GAN for the first time.

:mod:`.probe` looks into a run now and then and computes its signals, :mod:`.rules` says what is ill, and
:class:`Doctor` applies all rules to a series, while a run trains or afterwards.
"""

from inkgan.training.doctor.judgement import Diagnosis, Doctor, Finding, judged, read_thresholds
from inkgan.training.doctor.rules import Remedy, lower_rates

__all__ = ["Diagnosis", "Doctor", "Finding", "Remedy", "judged", "lower_rates", "read_thresholds"]
