"""The metrics, as pure functions of arrays: features, class probabilities and distances in, figures with intervals out.

Every figure is biased or noisy at finite n: read it beside its n and its floor, the same figure of held-out real images
at the same n. The metrics import nothing of inkgan except its errors.
"""
