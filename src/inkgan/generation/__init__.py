"""Images out of a trained generator, without PyTorch: sampling, handwriting, and where images are written."""
