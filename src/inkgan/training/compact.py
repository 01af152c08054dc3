"""The recipes ``fast`` and ``best``: compact networks, a regularised game, and an average of the generator.

:meth:`Compact.discriminator_step` and :meth:`Compact.generator_step` are the whole of what is optimised. Real and
generated images are paired by place and share their labels, so that the relativistic loss compares like with like.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inkgan.config import Config
from inkgan.networks.compact import Discriminator, Generator
from inkgan.seeds import Stream, latents, rng
from inkgan.training import losses
from inkgan.training.master_weights import Copy
from inkgan.training.optimizers import Adam
from inkgan.training.recipe import Moment, require_finite

#: No momentum, as in Karras et al., "A Style-Based Generator Architecture", 2019, and a short memory of the gradients'
#: size: one that is suddenly k times as large moves a weight by min(k, 1/sqrt(1 - beta2)) step sizes. With 0.99, which
#: allows ten, runs blew up; see docs/experiments.md.
_BETAS = (0.0, 0.9)
#: Runs of up to so many steps have no time to lose: their learning rates do not fade. From so many on they fade over
#: all of ``fade``; in between, over a share in proportion. See docs/experiments.md.
_SHORT, _LONG = 300, 1800


class Compact:
    """Networks, optimisers and update rules of ``fast`` and ``best``.

    Every step returns its losses (float32 scalars, taken before the update) and the discriminator's mean probability
    for "real" on real and on generated images.
    """

    def __init__(
        self,
        config: Config,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self._config, self._shape, self._device, self._dtype = config, image_shape, device, dtype
        self.latent_dim = config.latent_dim
        self.num_classes = num_classes if config.conditional else 0
        source = torch.Generator().manual_seed(int(rng(config.seed, Stream.INITIALISATION).integers(2**63)))
        self.discriminator = Discriminator(image_shape, self.num_classes, config.discriminator.channels, source)
        self.generator = Generator(image_shape, self.num_classes, self.latent_dim, config.generator.channels, source)
        self.generator.to(device)
        self.discriminator.to(device)
        self.average = copy.deepcopy(self.generator)
        self.optimizers = {
            "discriminator": Adam(self.discriminator.parameters(), config.discriminator.learning_rate, _BETAS),
            "generator": Adam(self.generator.parameters(), config.generator.learning_rate, _BETAS),
        }
        self._generator_copy = Copy(self.generator, dtype)
        self._discriminator_copy = Copy(self.discriminator, dtype)
        self._average_copy = Copy(self.average, dtype)
        self._learners = {
            "discriminator": (self.discriminator, self._discriminator_copy),
            "generator": (self.generator, self._generator_copy),
        }
        self._game = losses.ADVERSARIAL[config.loss]

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What is saved, by file: the average is what draws; the generator itself goes on learning."""
        return {"generator": self.average, "learner": self.generator, "discriminator": self.discriminator}

    def step(self, at: Moment, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Update both networks once; see :class:`inkgan.training.recipe.Recipe`."""
        config = self._config
        labels = labels if self.num_classes else None
        left = self._left_of_learning_rates(at)
        self.optimizers["discriminator"].set_learning_rate(config.discriminator.learning_rate * left)
        self.optimizers["generator"].set_learning_rate(config.generator.learning_rate * left)
        # One drawing serves both steps: the discriminator learns from it, then says how it could be better.
        drawn = latents(config.seed, Stream.GENERATOR_LATENTS, at.number, len(real), self.latent_dim)
        fake = self._generator_copy(torch.from_numpy(drawn).to(self._device), labels)
        terms, logits_real = self.discriminator_step(at, real.to(self._dtype), fake.detach(), labels)
        if at.step >= 0:
            terms |= self.generator_step(logits_real, fake, labels)
            self._follow(at)
        return terms

    def discriminator_step(
        self, at: Moment, real: Tensor, fake: Tensor, labels: Tensor | None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Update the discriminator on real and generated images [N, H, W, C].

        Returns:
            The terms, and the logits [N] of the real images.
        """
        penalty, n = self._config.penalty, len(real)
        images = torch.cat([real, fake.to(self._dtype)])
        due = penalty.weight > 0 and at.number % penalty.every == 0
        images.requires_grad_(due and self._config.loss != "wgan-gp")
        logits, scores = self._discriminator_copy(images, None if labels is None else torch.cat([labels, labels]))
        logits_real, logits_fake = logits[:n], logits[n:]
        terms = {"loss_discriminator": self._game.discriminator(logits_real, logits_fake)}
        if scores is not None and labels is not None:
            terms["loss_class_real"] = self._config.class_weight * F.cross_entropy(scores[:n], labels)
        if due:
            terms["penalty"] = penalty.weight * penalty.every * self._penalty(at, images, logits, labels)
        self._update("discriminator", terms)
        with torch.no_grad():
            scored = {"score_real": logits_real.sigmoid().mean(), "score_fake": logits_fake.sigmoid().mean()}
        return {name: term.detach() for name, term in terms.items()} | scored, logits_real.detach()

    def generator_step(self, logits_real: Tensor, fake: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Update the generator by what the discriminator now thinks of the images that it drew.

        The real images' logits are those from before the discriminator's update, which saves a pass; the generator's
        gradient depends on them only through the weight of each pair.
        """
        logits_fake, scores = self._discriminator_copy.constant(fake, labels)
        terms = {"loss_generator": self._game.generator(logits_real, logits_fake)}
        if scores is not None and labels is not None:
            terms["loss_class_fake"] = self._config.class_weight * F.cross_entropy(scores, labels)
        self._update("generator", terms)
        return {name: term.detach() for name, term in terms.items()}

    def draw(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Draw images [N, H, W, C] in [0, 1] with the average of the generator."""
        self._average_copy.refresh()
        with torch.no_grad():
            images: Tensor = self._average_copy.constant(latents, labels)
        return images

    def judge(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The discriminator's logits [N] for images of these labels."""
        with torch.no_grad():
            logits: Tensor = self._discriminator_copy.constant(images, labels)[0]
        return logits

    def after_load(self) -> None:
        """Copy the new parameters."""
        self._generator_copy.refresh()
        self._discriminator_copy.refresh()

    def model_extras(self) -> dict[str, Any]:
        """Nothing: the average draws each image for itself."""
        return {}

    def model_description(self) -> dict[str, Any]:
        """What the generator is."""
        return {
            "network": "compact",
            "image_shape": list(self._shape),
            "latent_dim": self.latent_dim,
            "num_classes": self.num_classes,
            "channels": self._config.generator.channels,
        }

    def _left_of_learning_rates(self, at: Moment) -> float:
        """How much of them is left, 1 to 0: they fade over the last share of a run, a smaller one of a short run."""
        steps = round(at.step / at.progress) if at.progress > 0 else _SHORT  # of the whole run, if its speed stays
        share = self._config.fade * min(1.0, max(0.0, (steps - _SHORT) / (_LONG - _SHORT)))
        return min(1.0, (1 - at.progress) / share) if share else 1.0

    def _penalty(self, at: Moment, images: Tensor, logits: Tensor, labels: Tensor | None) -> Tensor:
        """The gradient penalty: of WGAN-GP between real and generated images, else (R1 + R2)/2, or R1/2 alone."""
        n = len(images) // 2
        if self._config.loss == "wgan-gp":
            share = rng(self._config.seed, Stream.INTERPOLATION, at.number).random((n, 1, 1, 1), dtype="float32")
            between = torch.lerp(images[:n], images[n:], torch.from_numpy(share).to(images)).requires_grad_()
            return losses.to_one(losses.input_gradients(self._discriminator_copy(between, labels)[0], between))
        gradients = losses.input_gradients(logits, images)
        if self._config.penalty.on == "real":
            return losses.to_zero(gradients[:n]) / 2
        return (losses.to_zero(gradients[:n]) + losses.to_zero(gradients[n:])) / 2

    def _update(self, name: str, terms: dict[str, Tensor]) -> None:
        """Step down the gradient of the sum of the terms, if all is finite."""
        network, computed = self._learners[name]
        gradients = computed.gradients(torch.stack(list(terms.values())).sum())
        require_finite(terms, {f"the {name}'s loss": gradients})
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self.optimizers[name].step()
        computed.refresh()

    @torch.no_grad()
    def _follow(self, at: Moment) -> None:
        """Move the average towards the generator; its half-life is a share of the steps done so far.

        A share, not a number of steps, because what was learned long ago, relative to now, should not weigh: Karras
        et al., "Analyzing and Improving the Training Dynamics of Diffusion Models", 2024, section 3.
        """
        half_life = max(self._config.average * (at.step + 1), 1e-3)
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.generator.parameters()), 1 - 0.5 ** (1 / half_life)
        )
