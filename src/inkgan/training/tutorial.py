"""The tutorial's recipe: 300 steps of the discriminator alone, then both networks in turn.

Read :meth:`Tutorial.discriminator_step` and :meth:`Tutorial.generator_step` beside the tutorial's training loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inkgan.config import Config
from inkgan.errors import ConfigError
from inkgan.generation.numpy_networks import measure_standing_statistics
from inkgan.networks.tutorial import IMAGE_SHAPE, LATENT_DIM
from inkgan.networks.tutorial_exact_fast import Discriminator, Generator
from inkgan.seeds import Stream, latents, rng
from inkgan.training import losses
from inkgan.training.master_weights import Copy
from inkgan.training.optimizers import TensorFlowAdam
from inkgan.training.recipe import Moment, require_finite

#: How many batches the standing statistics of a saved generator are averaged over.
_STANDING_BATCHES = 20


class Tutorial:
    """Networks, optimisers and update rules of the tutorial.

    Every step returns its losses (float32 scalars, taken before the update) and the discriminator's mean probability
    for "real" on real and on generated images.
    """

    latent_dim = LATENT_DIM
    num_classes = 0

    def __init__(
        self,
        config: Config,
        image_shape: tuple[int, int, int] = IMAGE_SHAPE,
        num_classes: int = 0,  # labels are of no use to it
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if image_shape != IMAGE_SHAPE:
            height, width, channels = image_shape
            raise ConfigError(
                f"the tutorial's networks are made for 28×28 grey images; {config.data.name} has {height}×{width} with "
                f"{channels} channels. Choose --recipe fast, which takes any size, or --data mnist, fashion-mnist, "
                "kmnist."
            )
        self._seed, self._batch_size, self._device = config.seed, config.batch_size, device
        source = torch.Generator().manual_seed(int(rng(config.seed, Stream.INITIALISATION).integers(2**63)))
        self.discriminator = Discriminator(source)
        self.generator = Generator(source)
        self.generator.to(device)
        self.discriminator.to(device)
        rate = config.discriminator.learning_rate
        self.optimizers = {
            "discriminator_real": TensorFlowAdam(self.discriminator.parameters(), rate),
            "discriminator_fake": TensorFlowAdam(self.discriminator.parameters(), rate),
            "generator": TensorFlowAdam(self.generator.parameters(), config.generator.learning_rate),
        }
        self._generator_copy = Copy(self.generator, dtype)
        self._discriminator_copy = Copy(self.discriminator, dtype)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Both networks, by file."""
        return {"generator": self.generator, "discriminator": self.discriminator}

    def step(self, at: Moment, real: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Do one iteration of the tutorial's loops; see :class:`inkgan.training.recipe.Recipe`. Labels are not used."""
        terms = self.discriminator_step(real, self._latents(Stream.DISCRIMINATOR_LATENTS, at.number))
        if at.step >= 0:
            terms |= self.generator_step(self._latents(Stream.GENERATOR_LATENTS, at.number))
        return terms

    def discriminator_step(self, real: Tensor, latents: Tensor) -> dict[str, Tensor]:
        """Update the discriminator on images [N, 28, 28, 1] in [0, 1] and on what latents [N, 100] become.

        Both gradients are taken at the same point; then the "real" Adam steps, and after it the "fake" one.
        """
        with torch.no_grad():
            fake = self._generator_copy(latents)
        logits_real, logits_fake = self._discriminator_copy(real).float(), self._discriminator_copy(fake).float()
        loss_real, loss_fake = losses.real_as_real(logits_real), losses.fake_as_fake(logits_fake)
        gradients_real, gradients_fake = map(self._discriminator_copy.gradients, (loss_real, loss_fake))
        terms = {"loss_real": loss_real.detach(), "loss_fake": loss_fake.detach()}
        require_finite(terms, {"loss_real": gradients_real, "loss_fake": gradients_fake})
        self._update("discriminator_real", self.discriminator, gradients_real)
        self._update("discriminator_fake", self.discriminator, gradients_fake)
        self._discriminator_copy.refresh()
        scores = {"score_real": logits_real, "score_fake": logits_fake}
        return terms | {name: logits.detach().sigmoid().mean() for name, logits in scores.items()}

    def generator_step(self, latents: Tensor) -> dict[str, Tensor]:
        """Update the generator on latents [N, 100]."""
        logits = self._discriminator_copy.constant(self._generator_copy(latents))
        loss = losses.fake_as_real(logits.float())
        gradients = self._generator_copy.gradients(loss)
        terms = {"loss_generator": loss.detach()}
        require_finite(terms, {"loss_generator": gradients})
        self._update("generator", self.generator, gradients)
        self._generator_copy.refresh()
        return terms

    def draw(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw images [N, 28, 28, 1], normalised with the statistics of this batch."""
        with torch.no_grad():
            images: Tensor = self._generator_copy(latents).float()
        return images

    def judge(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """The discriminator's logits [N] for images [N, 28, 28, 1]."""
        with torch.no_grad():
            logits: Tensor = self._discriminator_copy(images).float()
        return logits

    def after_load(self) -> None:
        """Copy the new parameters; tell the optimisers how many steps they did."""
        self._generator_copy.refresh()
        self._discriminator_copy.refresh()
        for optimizer in self.optimizers.values():
            optimizer.count_steps()

    def model_extras(self) -> dict[str, Any]:
        """Standing statistics, so that an image need not depend on its batch."""
        weights = {name: tensor.detach().cpu().numpy() for name, tensor in self.generator.state_dict().items()}
        batches = [
            latents(self._seed, Stream.STANDING_LATENTS, i, self._batch_size, LATENT_DIM)
            for i in range(_STANDING_BATCHES)
        ]
        return measure_standing_statistics(weights, batches)

    def model_description(self) -> dict[str, Any]:
        """What the generator is."""
        return {"network": "tutorial", "image_shape": list(IMAGE_SHAPE), "latent_dim": LATENT_DIM, "num_classes": 0}

    def _latents(self, stream: Stream, number: int) -> Tensor:
        drawn: np.ndarray = latents(self._seed, stream, number, self._batch_size, LATENT_DIM)
        return torch.from_numpy(drawn).to(self._device)

    def _update(self, name: str, network: nn.Module, gradients: list[Tensor]) -> None:
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self.optimizers[name].step()
