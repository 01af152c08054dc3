"""Training a GAN: losses, penalties, optimisers, recipes, and the loop that runs them."""
