"""Measuring generated images against real ones: metrics, feature networks, reports and comparisons.

It may import the ground, data, networks, runs and generation.
"""
