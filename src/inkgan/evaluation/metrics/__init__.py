"""The metrics, as pure functions of arrays: features, class probabilities and distances in, figures with intervals out.

Every figure is biased or noisy at finite n, so read it next to its n and its floor, the same figure of as many held-out
real images. The metrics import nothing from inkgan except its errors.
"""
