"""The recipes ``fast`` and ``best``: compact networks, a gradient penalty, and a moving average of the generator.

A step, without slices, mixed precision and CUDA graphs::

    for real, labels, latents in batches:  # critic_steps of them
        fake = generator(latents, labels)
        update the discriminator on discriminator_losses(real, fake)
    if the step is joint:
        update the generator on generator_losses(fake)  # the images of the last batch
        update_ema(ema_generator, generator)

:meth:`Compact.discriminator_losses` and :meth:`Compact.generator_losses` compute everything that is optimised. Real and
generated images form pairs that share a label, so that the relativistic loss compares like with like.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inkgan.config import Config
from inkgan.config.schema import PenaltySettings
from inkgan.device import to_device
from inkgan.networks import build_discriminator, build_generator, building, own_network_sha256
from inkgan.networks.compact import at_least_float32, split_output
from inkgan.seeds import Stream, latents, rng
from inkgan.training import losses
from inkgan.training.cuda_graphs import Graphs
from inkgan.training.optimizers import Adam, MixedPrecision
from inkgan.training.own_network import require_trainable
from inkgan.training.recipe import Contribution, Recipe, StepInfo, mean_over_slices, parameter_norms, require_finite
from inkgan.training.team import Team

#: No momentum, as in Karras et al., "A Style-Based Generator Architecture", 2019, and a short memory of the gradients'
#: size: a gradient that is suddenly k times as large moves a weight by less than min(k, 1/sqrt(1 - beta2)) step sizes.
#: With 0.99, which allows ten step sizes, runs blew up; see docs/experiments.md.
_BETAS = (0.0, 0.9)
#: Learning rates do not fade in runs of up to ``_SHORT_RUN`` steps, which have no time to lose. In runs of
#: ``_LONG_RUN`` steps or more they fade over the whole fraction ``fade``; in between, the fraction grows linearly. See
#: docs/experiments.md.
_SHORT_RUN = 300
_LONG_RUN = 1800


class Batch(NamedTuple):
    """The inputs of one update of the discriminator; a step has one or more.

    Attributes:
        real: real images [N, H, W, C].
        labels: their classes [N], which are also those of the generated images; None without labels.
        latents: latents [N, D] of the generated images.
        mixing: for WGAN-GP, the weight [N, 1, 1, 1] of each generated image when the penalty interpolates between it
            and the real image it is paired with; None with other losses.
    """

    real: Tensor
    labels: Tensor | None
    latents: Tensor
    mixing: Tensor | None

    def at(self, index: int | slice) -> Batch:
        """Index every tensor in the same way."""
        labels, mixing = (None if one is None else one[index] for one in (self.labels, self.mixing))
        return Batch(self.real[index], labels, self.latents[index], mixing)


class Losses(NamedTuple):
    """The losses that a network minimises, and the figures logged with them.

    Attributes:
        terms: the losses, whose sum is minimised; scalars.
        figures: other scalars.
    """

    terms: dict[str, Tensor]
    figures: dict[str, Tensor]


#: A slice of a batch that the discriminator has scored, as the generator's update needs it: the slice's number, its
#: classes [N], its generated images [N, H, W, C], through which gradients flow, and the logits [N] of its real images.
Scored = tuple[int, Tensor | None, Tensor, Tensor]


class Compact(Recipe):
    """Networks, optimisers and update rules of ``fast`` and ``best``.

    Every step returns its losses (float32 scalars, computed before the update) and how well the discriminator told real
    from generated images: :func:`inkgan.training.losses.comparison` and, with losses whose logits have a zero, also
    :func:`inkgan.training.losses.mean_probabilities`.

    Args:
        config: the settings.
        image_shape: height, width and channels.
        num_classes: how many classes the labels name; 0 without labels.
        dtype: the precision that the networks compute in.
        device: where they compute.
        team: the processes that share each batch; by default this one alone.
        graphs: launch each step as a CUDA graph if possible: in a single process, on a GPU, with the network
            ``compact``. Otherwise, kernels are launched one by one.
    """

    def __init__(
        self,
        config: Config,
        image_shape: tuple[int, int, int],
        num_classes: int,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        team: Team | None = None,
        graphs: bool = True,
    ) -> None:
        self._config = config
        self._team = team or Team()
        self._image_shape = image_shape
        self._dtype = dtype
        self._device = torch.device(device)
        self._loss = losses.ADVERSARIAL_LOSSES[config.loss]
        self.logits_have_zero = self._loss.has_zero
        self.latent_dim = config.latent_dim
        self.num_classes = num_classes if config.conditional else 0
        self._network_sha256 = own_network_sha256(config.network)
        description = {**self.model_description(), "config": config.model_dump()}
        with building(int(rng(config.seed, Stream.INITIALISATION).integers(2**63))):
            self.discriminator = build_discriminator(description)
            self.generator = build_generator(description)
            if config.network != "compact":
                require_trainable(description, self.generator, self.discriminator, dtype, self._team.size)
        self.generator.to(device)
        self.discriminator.to(device)
        self.ema_generator = copy.deepcopy(self.generator).eval()
        self.networks = {
            "generator": self.ema_generator,  # the network that draws is the moving average
            "learner": self.generator,
            "discriminator": self.discriminator,
        }

        self._mixed_generator = MixedPrecision(self.generator, dtype)
        self._mixed_discriminator = MixedPrecision(self.discriminator, dtype)
        self._mixed_ema_generator = MixedPrecision(self.ema_generator, dtype)
        may_record = self._device.type == "cuda" and self._team.size == 1 and config.network == "compact"
        self._graphs = Graphs() if graphs and may_record else None

        def adam(network: nn.Module, learning_rate: float) -> Adam:
            learning = (parameter for parameter in network.parameters() if parameter.requires_grad)
            return Adam(learning, learning_rate, _BETAS, capturable=self._graphs is not None)

        self.optimizers: dict[str, Adam] = {
            "discriminator": adam(self.discriminator, config.discriminator.learning_rate),
            "generator": adam(self.generator, config.generator.learning_rate),
        }

    def step(self, info: StepInfo, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Update both networks once; see :class:`inkgan.training.recipe.Recipe`."""
        config = self._config.at(info.step)
        labels = labels if self.num_classes else None
        factor = schedule_factor(info, config.fade)
        self.optimizers["discriminator"].learning_rate = config.discriminator.learning_rate * factor
        self.optimizers["generator"].learning_rate = config.generator.learning_rate * factor

        first = info.number * config.critic_steps
        numbers = range(first, first + config.critic_steps)
        is_penalised = [config.penalty.weight > 0 and number % config.penalty.every == 0 for number in numbers]
        penalties = [config.penalty if penalised else None for penalised in is_penalised]
        inputs = self._stacked_batches(numbers, real, labels)
        is_joint = info.step >= 0

        def compute(*tensors: Any) -> dict[str, Tensor]:
            terms: dict[str, Tensor] = {}
            for update, (number, penalty) in enumerate(zip(numbers, penalties, strict=True)):
                own_terms, scored = self._update_discriminator(number, penalty, Batch(*tensors).at(update))
                terms |= own_terms
            if is_joint:
                # On the images of the discriminator's last update, so that they are drawn only once.
                terms |= self._update_generator(number, scored)
            return terms

        terms = compute(*inputs) if self._graphs is None else self._graphs.run((is_joint, *penalties), compute, inputs)
        if is_joint:
            update_ema(self.ema_generator, self.generator, half_life_steps=config.ema_half_life * (info.step + 1))
        return terms

    def _stacked_batches(self, numbers: range, real: Tensor, labels: Tensor | None) -> Batch:
        """Return the batches for a step's updates of the discriminator, stacked: each tensor is [updates, N, ...].

        Random numbers are drawn for whole batches, so that they do not depend on the number of slices.
        """
        seed = self._config.seed
        count = len(real) // len(numbers)
        z = np.stack([latents(seed, Stream.GENERATOR_LATENTS, number, count, self.latent_dim) for number in numbers])
        mixing = None
        if self._loss.one_centered:
            generators = [rng(seed, Stream.INTERPOLATION, number) for number in numbers]
            shares = np.stack([one.random((count, 1, 1, 1), dtype=np.float32) for one in generators])
            mixing = to_device(shares, self._device)
        images = real.to(self._dtype).reshape(len(numbers), count, *self._image_shape)
        labels = None if labels is None else labels.reshape(len(numbers), count)
        return Batch(images, labels, to_device(z, self._device), mixing)

    def _update_discriminator(
        self, number: int, penalty: PenaltySettings | None, batch: Batch
    ) -> tuple[dict[str, Tensor], list[Scored]]:
        """Update the discriminator once, and return the slices of the batch that this process has scored."""
        count = len(batch.real) // self._config.slices
        computed, scored = [], []
        for slice_number in self._team.own_slices(self._config.slices):
            part = batch.at(slice(slice_number * count, (slice_number + 1) * count))
            with self._seeded_layers(number, slice_number, "discriminator"):
                fake = self._mixed_generator.forward(part.latents, part.labels)
                own_losses, logits_real = self.discriminator_losses(part, fake, penalty)
            computed.append(own_losses)
            scored.append((slice_number, part.labels, fake, logits_real))
        return self._update_network("discriminator", self._mixed_discriminator, computed), scored

    def _update_generator(self, number: int, scored: Sequence[Scored]) -> dict[str, Tensor]:
        """Update the generator once, on images that the discriminator has just learned from."""
        computed = []
        for slice_number, labels, fake, logits_real in scored:
            with self._seeded_layers(number, slice_number, "generator"):
                computed.append(self.generator_losses(fake, labels, logits_real))
        return self._update_network("generator", self._mixed_generator, computed)

    @contextlib.contextmanager
    def _seeded_layers(self, number: int, slice_number: int, learner: str) -> Iterator[None]:
        """Seed PyTorch's generators, which layers such as dropout draw from, for one slice of one network's update.

        Like all other random numbers, those of such layers then depend on the seed, the step and the slice, but not on
        the process. inkgan's own networks have no such layers.
        """
        if self._config.network == "compact":
            yield
            return
        place = 2 * (number * self._config.slices + slice_number) + (learner == "generator")
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(int(rng(self._config.seed, Stream.LAYERS, place).integers(2**63)))
            yield

    def discriminator_losses(self, part: Batch, fake: Tensor, penalty: PenaltySettings | None) -> tuple[Losses, Tensor]:
        """Return the losses that the discriminator minimises, and the logits [N] of the real images, detached.

        Args:
            part: the real images and their classes; a batch or a slice of it.
            fake: the generated images [N, H, W, C] that they are paired with.
            penalty: the penalty of this update; None if it has none.
        """
        n = len(part.real)
        images = torch.cat([part.real, fake.detach().to(self._dtype)])
        images.requires_grad_(penalty is not None and not self._loss.one_centered)

        both_labels = None if part.labels is None else torch.cat([part.labels, part.labels])
        logits, class_scores = split_output(self._mixed_discriminator.forward(images, both_labels))
        logits_real, logits_fake = logits[:n], logits[n:]
        terms = {"loss_discriminator": self._loss.discriminator(logits_real, logits_fake)}
        if class_scores is not None and part.labels is not None:
            terms["loss_class_real"] = self._config.class_weight * F.cross_entropy(class_scores[:n], part.labels)
        if penalty is not None:
            # γ/2 E[‖∇D(x)‖²] + γ/2 E[‖∇D(G(z))‖²] or λ E[(‖∇D(x̂)‖ - 1)²], times the updates that it stands for:
            # "lazy regularization", Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, 3.1.
            terms["penalty"] = penalty.weight * penalty.every * self._penalty(images, logits, part, penalty)

        logits_real, logits_fake = logits_real.detach(), logits_fake.detach()
        figures = losses.comparison(logits_real, logits_fake)
        if self.logits_have_zero:
            figures |= losses.mean_probabilities(logits_real, logits_fake)
        return Losses(terms, figures), logits_real

    def _penalty(self, images: Tensor, logits: Tensor, part: Batch, settings: PenaltySettings) -> Tensor:
        """Return the gradient penalty without γ or λ: WGAN-GP's with its loss, else R1 + R2, or R1 alone."""
        n = len(images) // 2
        if part.mixing is not None:
            real, fake = images[:n], images[n:]
            between = torch.lerp(real, fake, part.mixing.to(images)).requires_grad_()  # x̂ = (1 - ε) x + ε G(z)
            logits_between, _ = split_output(self._mixed_discriminator.forward(between, part.labels))
            gradients = losses.input_gradients(logits_between, between, settings.pixels)
            return losses.one_centered_penalty(gradients)  # E[(‖∇D(x̂)‖ - 1)²]
        gradients = losses.input_gradients(logits, images, settings.pixels)
        r1 = losses.zero_centered_penalty(gradients[:n]) / 2  # ½ E[‖∇D(x)‖²]
        if settings.on == "real":
            return r1
        r2 = losses.zero_centered_penalty(gradients[n:]) / 2  # ½ E[‖∇D(G(z))‖²]
        return r1 + r2

    def generator_losses(self, fake: Tensor, labels: Tensor | None, logits_real: Tensor) -> Losses:
        """Return the losses that the generator minimises; the discriminator that scores its images is the updated one.

        The logits of the real images are those from before the discriminator's update, which saves a forward pass. The
        losses that compare pairs therefore mix two states of the discriminator: the loss reported for ``relativistic``
        is too low, and each pair's weight in the gradient is not exactly that of the published loss. Five full runs
        with each variant showed no significant difference; see docs/experiments.md.

        Args:
            fake: the generated images [N, H, W, C]; gradients flow through them to the generator.
            labels: their classes [N]; None without labels.
            logits_real: the logits [N] of the real images that they are paired with.
        """
        logits_fake, class_scores = split_output(self._mixed_discriminator.forward_frozen(fake, labels))
        terms = {"loss_generator": self._loss.generator(logits_real, logits_fake)}
        if class_scores is not None and labels is not None:
            terms["loss_class_fake"] = self._config.class_weight * F.cross_entropy(class_scores, labels)
        return Losses(terms, {})

    def _update_network(self, name: str, network: MixedPrecision, computed: Sequence[Losses]) -> dict[str, Tensor]:
        """Take a step down the gradient of the sum of the losses, of which this process has those of its own slices.

        Everything is checked to be finite before the update; with CUDA graphs, after it, in :meth:`Graphs.settle`.

        Returns:
            The losses and figures of the whole batch, and the norm of the gradient.
        """
        own = []
        for one in computed:
            gradients = network.gradients(torch.stack(list(one.terms.values())).sum())
            detached = {key: term.detach() for key, term in {**one.terms, **one.figures}.items()}
            own.append(Contribution(gradients, detached))
        gradients, terms = mean_over_slices(self._team, own, self._config.slices)
        minimised = {key: terms[key] for key in computed[0].terms}
        norms = parameter_norms(gradients)
        if self._graphs is None:
            require_finite(minimised, {f"the {name}'s loss": norms})
        self.optimizers[name].step(gradients)
        network.refresh()
        return {**terms, f"gradient_{name}": torch.linalg.vector_norm(norms)}

    def settle(self) -> None:
        """Wait until it is known whether the last step was finite; see :class:`inkgan.training.recipe.Recipe`."""
        if self._graphs is not None:
            self._graphs.settle()

    @torch.no_grad()
    def draw(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Draw images [N, H, W, C] in [0, 1] with the moving average of the generator."""
        self._mixed_ema_generator.refresh()
        return at_least_float32(self._mixed_ema_generator.forward_frozen(latents, labels))

    @torch.no_grad()
    def draw_learner(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Draw images [N, H, W, C] in [0, 1] with the generator as it is, not with its average."""
        with _evaluation_mode(self.generator):
            return at_least_float32(self._mixed_generator.forward_frozen(latents, labels))

    @torch.no_grad()
    def discriminate(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the discriminator's logits [N] for images with these labels, and its class scores [N, classes]."""
        with _evaluation_mode(self.discriminator):
            return split_output(self._mixed_discriminator.forward_frozen(images, labels))

    def after_load(self) -> None:
        """Refresh the copies of the weights that the networks compute with."""
        self._mixed_generator.refresh()
        self._mixed_discriminator.refresh()

    def model_description(self) -> dict[str, Any]:
        """Return the generator's kind and sizes, and the SHA-256 of the file if the network is the user's own."""
        description = {
            "network": self._config.network,
            "image_shape": list(self._image_shape),
            "latent_dim": self.latent_dim,
            "num_classes": self.num_classes,
            "channels": self._config.generator.channels,
            "slope": self._config.slope,
        }
        if self._network_sha256 is not None:
            description["network_sha256"] = self._network_sha256
        return description


@contextlib.contextmanager
def _evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode: batch normalisation uses running statistics, and dropout is off.

    Afterwards, each layer has the mode that it had: a network of the user's own may keep one in evaluation mode.
    """
    were_training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, was_training in were_training.items():
            module.training = was_training


def schedule_factor(info: StepInfo, fade: float) -> float:
    """Return the factor of the learning rates: 1, then linear to 0 over the last part of the run.

    Args:
        info: where in the run the step is.
        fade: the fraction of a long run over which they fade; see :data:`_SHORT_RUN` for short ones.
    """
    # The length in steps of a run that is given in seconds is estimated from the speed so far.
    steps = round(info.step / info.fraction_done) if info.fraction_done > 0 else _SHORT_RUN
    fade *= min(1.0, max(0.0, (steps - _SHORT_RUN) / (_LONG_RUN - _SHORT_RUN)))
    return min(1.0, (1 - info.fraction_done) / fade) if fade else 1.0


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, half_life_steps: float) -> None:
    """Move an exponential moving average of weights towards the network's own.

    The half-life grows with the run, because weights from its beginning should not count at its end: Karras et al.,
    "Analyzing and Improving the Training Dynamics of Diffusion Models", 2024, section 3.

    Args:
        average: the network that holds the averaged weights; changed in place.
        network: the network that learns.
        half_life_steps: the number of steps after which an old value has lost half of its weight.
    """
    decay = 0.5 ** (1 / max(half_life_steps, 1e-3))  # β, with β^half_life = ½
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)  # θ̄ ← β θ̄ + (1 - β) θ
    for kept, current in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(current)
