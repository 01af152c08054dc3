"""Runs on disk: the folder of a run and its checkpoints.

It may import the base, data and networks.
"""
