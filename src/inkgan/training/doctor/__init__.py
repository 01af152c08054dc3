"""The health of a run, judged by its signals, in words for people who train a GAN for the first time.

:mod:`.probe` computes signals of a run now and then, :mod:`.rules` says which values are ill, and
:class:`Doctor` applies all rules to the lines of a run, while it trains or afterwards.
"""

from inkgan.training.doctor.judgement import Diagnosis, Doctor, Finding, judged, read_thresholds
from inkgan.training.doctor.rules import NOT_FINITE

__all__ = ["NOT_FINITE", "Diagnosis", "Doctor", "Finding", "judged", "read_thresholds"]
