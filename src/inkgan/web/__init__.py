"""Taking a model away: into a page that needs no server, and into ONNX."""
