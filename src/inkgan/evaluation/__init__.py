"""Measuring generated images against real ones: metrics, feature networks, reports and comparisons.

It may import the base, data, networks, runs and generation.
"""
