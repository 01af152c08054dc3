"""Models for use without inkgan: a web page, an ONNX file; and a model folder to hand on."""
