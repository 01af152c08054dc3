"""Measuring generated images against real ones: metrics, feature networks, reports and comparisons."""
