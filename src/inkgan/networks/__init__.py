"""Networks: generators and discriminators as PyTorch modules, built from the description in model.json.

Importing this package does not import PyTorch; building a network does.
"""

from inkgan.networks.build import build_discriminator, build_generator, building
from inkgan.networks.known import (
    ENVIRONMENT,
    NETWORKS,
    how_to_add_one,
    is_known,
    note_of_change,
    own_network_sha256,
    own_networks,
    require_known,
)

__all__ = [
    "ENVIRONMENT",
    "NETWORKS",
    "build_discriminator",
    "build_generator",
    "building",
    "how_to_add_one",
    "is_known",
    "note_of_change",
    "own_network_sha256",
    "own_networks",
    "require_known",
]
