"""Measuring generated images against real ones: metrics, feature networks, reports and comparisons.

May import the ground, data, networks, runs and generation.
"""
