"""Runs on disk: the folder of a run and its checkpoints.

It may import the ground (config, errors, files, seeds, images, device) and nothing else of inkgan.
"""
