"""Training a GAN: losses, penalties, optimisers, recipes, and the loop that runs them.

It may import the base, data, networks, runs, generation and evaluation.
"""
