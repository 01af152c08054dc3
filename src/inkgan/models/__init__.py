"""Models that ship with the package: a folder each, with weights, description and card.

It imports nothing.
"""
