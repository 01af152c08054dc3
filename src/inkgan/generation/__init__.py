"""Images out of a trained generator, without PyTorch: sampling, handwriting, and where images are written.

It may import the base, data, networks and runs.
"""
