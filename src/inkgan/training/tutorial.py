"""The tutorial's recipe: 300 steps of the discriminator alone, then both networks in turn.

Read :meth:`Tutorial.discriminator_step` and :meth:`Tutorial.generator_step` beside the tutorial's training loop.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inkgan.config import Config
from inkgan.device import to_device
from inkgan.errors import ConfigError, quantity, shown
from inkgan.generation.numpy_networks import measure_standing_statistics
from inkgan.networks.tutorial import IMAGE_SHAPE, LATENT_DIM
from inkgan.networks.tutorial_exact_fast import Discriminator, Generator
from inkgan.seeds import Stream, latents, rng
from inkgan.training import losses
from inkgan.training.optimizers import MixedPrecision, TensorFlowAdam
from inkgan.training.recipe import Recipe, StepInfo, parameter_norms, require_finite

#: The number of batches over which the standing statistics of a saved generator are averaged.
_STANDING_BATCHES = 20


class Tutorial(Recipe):
    """Networks, optimisers and update rules of the tutorial.

    Every step returns its losses (float32 scalars, computed before the update) and the discriminator's mean probability
    for "real" on real and on generated images.

    Args:
        config: the settings.
        image_shape: height, width and channels of the data's images, which must be 28, 28 and 1.
        dtype: the precision of the networks' computations.
        device: where they compute.

    Raises:
        ConfigError: the images have another shape.
    """

    latent_dim = LATENT_DIM
    num_classes = 0
    logits_have_zero = True

    def __init__(
        self,
        config: Config,
        image_shape: tuple[int, int, int] = IMAGE_SHAPE,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if image_shape != IMAGE_SHAPE:
            height, width, channels = image_shape
            or_resize = ", or --resize 28" if channels == 1 else ""
            raise ConfigError(
                "the tutorial's networks are made for 28×28 grey images; "
                f"{shown(config.data.name)} has {height}×{width} with {quantity(channels, 'channel')}. "
                f"Choose --recipe fast, which takes any size{or_resize}."
            )
        self._seed = config.seed
        self._batch_size = config.batch_size
        self._device = torch.device(device)
        source = torch.Generator().manual_seed(int(rng(config.seed, Stream.INITIALISATION).integers(2**63)))
        self.discriminator = Discriminator(source).to(device)
        self.generator = Generator(source).to(device)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}

        self._mixed_generator = MixedPrecision(self.generator, dtype)
        self._mixed_discriminator = MixedPrecision(self.discriminator, dtype)
        rate = config.discriminator.learning_rate
        self.optimizers: dict[str, TensorFlowAdam] = {
            "discriminator_real": TensorFlowAdam(self.discriminator.parameters(), rate),
            "discriminator_fake": TensorFlowAdam(self.discriminator.parameters(), rate),
            "generator": TensorFlowAdam(self.generator.parameters(), config.generator.learning_rate),
        }

    def step(self, info: StepInfo, real: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Do one iteration of the tutorial's loops; see :class:`inkgan.training.recipe.Recipe`. Labels are not used."""
        terms = self.discriminator_step(real, self._latents(Stream.DISCRIMINATOR_LATENTS, info.number))
        if info.step >= 0:
            terms |= self.generator_step(self._latents(Stream.GENERATOR_LATENTS, info.number))
        return terms

    def discriminator_step(self, real: Tensor, latents: Tensor) -> dict[str, Tensor]:
        """Update the discriminator on images [N, 28, 28, 1] in [0, 1] and on images drawn from latents [N, 100].

        Both gradients are taken at the same weights; then the "real" Adam takes its step, followed by the "fake" one.
        """
        with torch.no_grad():
            fake = self._mixed_generator.forward(latents)
        logits_real = self._mixed_discriminator.forward(real).float()
        logits_fake = self._mixed_discriminator.forward(fake).float()
        loss_real = losses.real_as_real(logits_real)
        loss_fake = losses.fake_as_fake(logits_fake)
        gradients_real = self._mixed_discriminator.gradients(loss_real)
        gradients_fake = self._mixed_discriminator.gradients(loss_fake)

        terms = {"loss_real": loss_real.detach(), "loss_fake": loss_fake.detach()}
        norms = {"loss_real": parameter_norms(gradients_real), "loss_fake": parameter_norms(gradients_fake)}
        require_finite(terms, norms)
        self.optimizers["discriminator_real"].step(gradients_real)
        self.optimizers["discriminator_fake"].step(gradients_fake)
        self._mixed_discriminator.refresh()
        terms["gradient_discriminator"] = torch.hypot(*(torch.linalg.vector_norm(norm) for norm in norms.values()))
        return terms | losses.mean_probabilities(logits_real.detach(), logits_fake.detach())

    def generator_step(self, latents: Tensor) -> dict[str, Tensor]:
        """Update the generator on latents [N, 100]."""
        fake = self._mixed_generator.forward(latents)
        logits = self._mixed_discriminator.forward_frozen(fake)
        loss = losses.fake_as_real(logits.float())
        gradients = self._mixed_generator.gradients(loss)

        terms = {"loss_generator": loss.detach()}
        norms = parameter_norms(gradients)
        require_finite(terms, {"loss_generator": norms})
        self.optimizers["generator"].step(gradients)
        self._mixed_generator.refresh()
        terms["gradient_generator"] = torch.linalg.vector_norm(norms)
        return terms

    @torch.no_grad()
    def draw(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw images [N, 28, 28, 1], normalised with the statistics of this batch."""
        return self._mixed_generator.forward(latents).float()

    @torch.no_grad()
    def discriminate(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, None]:
        """Return the discriminator's logits [N] for images [N, 28, 28, 1]; it knows no classes."""
        return self._mixed_discriminator.forward(images).float(), None

    def after_load(self) -> None:
        """Refresh the copies of the weights that the networks compute with."""
        self._mixed_generator.refresh()
        self._mixed_discriminator.refresh()

    def model_extras(self) -> dict[str, Any]:
        """Return standing statistics, which make an image independent of the others in its batch."""
        weights = {name: tensor.detach().cpu().numpy() for name, tensor in self.generator.state_dict().items()}
        numbers = range(_STANDING_BATCHES)
        batches = [latents(self._seed, Stream.STANDING_LATENTS, i, self._batch_size, LATENT_DIM) for i in numbers]
        return measure_standing_statistics(weights, batches)

    def model_description(self) -> dict[str, Any]:
        """Return the generator's kind and sizes."""
        return {"network": "tutorial", "image_shape": list(IMAGE_SHAPE), "latent_dim": LATENT_DIM, "num_classes": 0}

    def _latents(self, stream: Stream, number: int) -> Tensor:
        return to_device(latents(self._seed, stream, number, self._batch_size, LATENT_DIM), self._device)
