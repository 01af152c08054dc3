"""Models for use elsewhere: as a web page, an ONNX file, or a model folder to hand on.

It may import the base, data, networks, runs, generation, evaluation and training.
"""
