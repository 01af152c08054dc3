"""Models for use elsewhere: as a web page, an ONNX file, or a model folder to hand on."""
