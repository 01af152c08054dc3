"""Networks: the layers, the generators and discriminators, and the generators again in NumPy for sampling."""
