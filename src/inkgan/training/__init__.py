"""Training a GAN: losses, penalties, optimisers, recipes, and the loop that runs them.

May import the ground, data, networks, runs, generation and evaluation.
"""
