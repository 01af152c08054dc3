"""Measure the tutorial's own graph in TensorFlow, or prove that this is that graph.

The tutorial was written for TensorFlow 1. This file builds the same graph in TensorFlow 2's version 1 mode. It runs in
an environment that has TensorFlow and NumPy but not inkgan, so it imports nothing of inkgan. One thing had to be
replaced: ``tf.contrib.layers.batch_norm`` no longer exists. This file uses the function that it called,
``fused_batch_norm``, in training mode, without a scale and with a trained offset. The moving averages are left out,
since the tutorial never updates them.

It times some steps for every line that it reads, and prints a line of JSON, so that another program can take turns with
it on the same machine. ``--marks`` trains for the given seconds instead and draws images for the board, and ``--golden
FILE`` compares the graph with golden vectors.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # must be set before the import to have an effect

import numpy as np
import tensorflow.compat.v1 as tf  # type: ignore[import-untyped]
from marks import train_to_marks

BATCH_SIZE = 50
LATENT_SIZE = 100
PRETRAINING_STEPS = 300
IMAGE_SIZE = 28
SHAPES = {  # the golden vectors' names, shapes and order; each in TensorFlow's layout
    "d_w1": (5, 5, 1, 32),
    "d_b1": (32,),
    "d_w2": (5, 5, 32, 64),
    "d_b2": (64,),
    "d_w3": (3136, 1024),
    "d_b3": (1024,),
    "d_w4": (1024, 1),
    "d_b4": (1,),
    "g_w1": (LATENT_SIZE, 3136),
    "g_b1": (3136,),
    "g_beta1": (1,),
    "g_w2": (3, 3, 1, 50),
    "g_b2": (50,),
    "g_beta2": (50,),
    "g_w3": (3, 3, 50, 25),
    "g_b3": (25,),
    "g_beta3": (25,),
    "g_w4": (1, 1, 25, 1),
    "g_b4": (1,),
}


def variable(name: str, initializer: Any = None) -> tf.Variable:
    """Get a variable of the tutorial, by default drawn from its truncated normal distribution."""
    return tf.get_variable(name, SHAPES[name], initializer=initializer or tf.truncated_normal_initializer(stddev=0.02))


def discriminator(images: tf.Tensor, reuse: bool = False) -> tf.Tensor:
    """Build the tutorial's discriminator and return its logits."""
    zeros = tf.constant_initializer(0)
    with tf.variable_scope(tf.get_variable_scope(), reuse=reuse):
        hidden = images
        for layer in "12":
            hidden = tf.nn.conv2d(hidden, variable(f"d_w{layer}"), strides=[1, 1, 1, 1], padding="SAME")
            hidden = tf.nn.relu(hidden + variable(f"d_b{layer}", zeros))
            hidden = tf.nn.avg_pool(hidden, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
        hidden = tf.reshape(hidden, [-1, 7 * 7 * 64])
        hidden = tf.nn.relu(tf.matmul(hidden, variable("d_w3")) + variable("d_b3", zeros))
        return tf.matmul(hidden, variable("d_w4")) + variable("d_b4", zeros)


def batch_norm(inputs: tf.Tensor, name: str) -> tf.Tensor:
    """Do what ``tf.contrib.layers.batch_norm`` did by default: training mode, an offset and no scale."""
    offset = variable(name, tf.zeros_initializer())
    scale = tf.ones(offset.shape)
    return tf.nn.fused_batch_norm(inputs, scale, offset, epsilon=1e-5, is_training=True)[0]


def generator(latents: tf.Tensor) -> tf.Tensor:
    """Build the tutorial's generator and return its images."""
    hidden = tf.matmul(latents, variable("g_w1")) + variable("g_b1")
    hidden = tf.nn.relu(batch_norm(tf.reshape(hidden, [-1, 56, 56, 1]), "g_beta1"))
    for layer in "23":
        hidden = tf.nn.conv2d(hidden, variable(f"g_w{layer}"), strides=[1, 2, 2, 1], padding="SAME")
        hidden = tf.nn.relu(batch_norm(hidden + variable(f"g_b{layer}"), f"g_beta{layer}"))
        # Version 1's bilinear resize: no half-pixel centres.
        hidden = tf.image.resize_bilinear(hidden, [56, 56], align_corners=False, half_pixel_centers=False)
    hidden = tf.nn.conv2d(hidden, variable("g_w4"), strides=[1, 2, 2, 1], padding="SAME")
    return tf.sigmoid(hidden + variable("g_b4"))


def mean_cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the mean cross-entropy of logits and labels."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=logits, labels=labels))


def build_graph(fixed_order: bool) -> SimpleNamespace:
    """Build the tutorial's graph with its three losses and three Adam optimisers.

    Args:
        fixed_order: Whether control dependencies order the discriminator's two updates as the golden vectors
            do; otherwise the session runs them in any order, as in the tutorial.

    Returns:
        The graph's placeholders, outputs, losses and training operations.
    """
    latents = tf.placeholder(tf.float32, [None, LATENT_SIZE])
    images = tf.placeholder(tf.float32, [None, IMAGE_SIZE, IMAGE_SIZE, 1])
    generated = generator(latents)
    logits_real = discriminator(images)
    logits_fake = discriminator(generated, reuse=True)
    loss_real = mean_cross_entropy(logits_real, tf.ones_like(logits_real))
    loss_fake = mean_cross_entropy(logits_fake, tf.zeros_like(logits_fake))
    loss_generator = mean_cross_entropy(logits_fake, tf.ones_like(logits_fake))
    d_variables = [v for v in tf.trainable_variables() if v.name.startswith("d_")]
    g_variables = [v for v in tf.trainable_variables() if v.name.startswith("g_")]
    optimizers = [tf.train.AdamOptimizer(rate) for rate in (0.0003, 0.0003, 0.0001)]
    # minimize() consists of these two calls; separating them lets the golden order come between them.
    grads_fake = optimizers[0].compute_gradients(loss_fake, d_variables)
    grads_real = optimizers[1].compute_gradients(loss_real, d_variables)
    grads_generator = optimizers[2].compute_gradients(loss_generator, g_variables)
    before = [loss_real, loss_fake, *(grad for grad, _ in grads_real + grads_fake)] if fixed_order else []
    with tf.control_dependencies(before):
        train_real = optimizers[1].apply_gradients(grads_real)
    with tf.control_dependencies([*before, train_real] if fixed_order else []):
        train_fake = optimizers[0].apply_gradients(grads_fake)
    with tf.control_dependencies([loss_generator] if fixed_order else []):
        train_generator = optimizers[2].apply_gradients(grads_generator)
    return SimpleNamespace(
        latents=latents,
        images=images,
        generated=generated,
        loss_real=loss_real,
        loss_fake=loss_fake,
        loss_generator=loss_generator,
        train_real=train_real,
        train_fake=train_fake,
        train_generator=train_generator,
    )


def load_images(folder: Path, name: str) -> np.ndarray:
    """Read one of MNIST's gzipped IDX image files as float32 in [0, 1], [count, 28, 28, 1]."""
    with gzip.open(folder / f"{name}-images-idx3-ubyte.gz") as file:
        data = file.read()
    pixels = np.frombuffer(data, np.uint8, offset=16)  # after the magic number and three sizes
    return (pixels.astype(np.float32) / 255).reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 1)


def shuffled_batches(images: np.ndarray, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield batches for ever, shuffled anew every epoch, as the tutorial's reader did."""
    rng = np.random.default_rng(seed)
    while True:
        shuffled = images[rng.permutation(len(images))]
        for start in range(0, len(shuffled) - BATCH_SIZE + 1, BATCH_SIZE):
            yield shuffled[start : start + BATCH_SIZE]


def some_latents() -> np.ndarray:
    """Draw latents for a batch."""
    return np.random.normal(0, 1, size=[BATCH_SIZE, LATENT_SIZE])  # noqa: NPY002  the tutorial's own call


def step(session: tf.Session, graph: SimpleNamespace, images: np.ndarray, *, with_generator: bool = True) -> None:
    """Do what the tutorial's main loop does with a batch, without summaries and pictures."""
    discriminator_run = [graph.train_real, graph.train_fake, graph.loss_real, graph.loss_fake]
    session.run(discriminator_run, {graph.images: images, graph.latents: some_latents()})
    if with_generator:
        session.run(graph.train_generator, {graph.latents: some_latents()})


def serve(options: argparse.Namespace) -> None:
    """Print TensorFlow's version, then for every line read the speed of some steps."""
    batches = shuffled_batches(load_images(options.mnist, "train"))
    graph = build_graph(fixed_order=False)
    with tf.Session(config=session_config(options.threads)) as session:
        session.run(tf.global_variables_initializer())
        for _ in range(options.warmup):
            step(session, graph, next(batches))
        print(json.dumps({"tensorflow": tf.version.VERSION}), flush=True)
        for _ in sys.stdin:
            start = time.perf_counter()
            for _ in range(options.steps):
                step(session, graph, next(batches))
            speed = options.steps / (time.perf_counter() - start)
            print(json.dumps({"steps_per_second": speed}), flush=True)


def learn(options: argparse.Namespace) -> None:
    """Train as the tutorial does, at first only the discriminator, and draw images at the marks."""
    np.random.seed(options.seed)  # noqa: NPY002  the tutorial draws from the global generator
    tf.set_random_seed(options.seed)
    images = load_images(options.mnist, "train")
    batches = shuffled_batches(images[len(images) // 12 :], options.seed)  # the reader held 5,000 of 60,000 back
    graph = build_graph(fixed_order=False)
    with tf.Session(config=session_config(options.threads)) as session:
        session.run(tf.global_variables_initializer())

        def numbered_step(number: int, seconds: float) -> None:  # noqa: ARG001  it has no schedule
            step(session, graph, next(batches), with_generator=number >= PRETRAINING_STEPS)

        def draw() -> np.ndarray:
            return session.run(graph.generated, {graph.latents: some_latents()})

        library = f"TensorFlow {tf.version.VERSION}"
        about = {"batch_size": BATCH_SIZE, "arithmetic": "float32", "library": library}
        train_to_marks(numbered_step, draw, options.marks, options.images, options.out, about)


def session_config(threads: int) -> tf.ConfigProto | None:
    """Return a configuration with this number of threads; None, for 0, leaves it to TensorFlow as the tutorial does."""
    if not threads:
        return None
    return tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)


def check_golden(options: argparse.Namespace) -> None:
    """Compare the graph with the golden vectors and print the largest differences."""
    golden = np.load(options.golden)
    rng = np.random.default_rng(int(golden["rng_seed"]))
    iterations, batch_size = int(golden["iterations"]), int(golden["batch_size"])
    values = {}
    for name, shape in SHAPES.items():
        scale = 1 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        values[name] = (rng.standard_normal(shape) * scale).astype(np.float32)
    latents = rng.standard_normal((2 * iterations + 1, batch_size, LATENT_SIZE)).astype(np.float32)
    images = load_images(options.mnist, "t10k").reshape(-1, batch_size, IMAGE_SIZE, IMAGE_SIZE, 1)
    graph = build_graph(fixed_order=True)
    with tf.Session(config=session_config(options.threads)) as session:
        session.run(tf.global_variables_initializer())
        for v in tf.trainable_variables():
            v.load(values[v.op.name], session)
        losses = [graph.loss_real, graph.loss_fake, graph.loss_generator]
        first = session.run(losses, {graph.images: images[0], graph.latents: latents[0]})
        history = []
        for i in range(iterations):
            feeds = {graph.images: images[i], graph.latents: latents[1 + 2 * i]}
            real, fake = session.run([*losses[:2], graph.train_real, graph.train_fake], feeds)[:2]
            feeds = {graph.latents: latents[2 + 2 * i]}
            history.append([real, fake, session.run([losses[2], graph.train_generator], feeds)[0]])
    expected = [golden[key] for key in ("loss_real", "loss_fake", "loss_generator")]
    differences = {
        "first_point": float(np.abs(np.subtract(first, expected)).max()),
        "all_iterations": float(np.abs(history - golden["losses"]).max()),
    }
    facts = {"tensorflow": tf.version.VERSION, "iterations": iterations, "batch_size": batch_size}
    print(json.dumps(facts | {"largest_loss_difference": differences}))


def main() -> None:
    """Read the command line and do what it asks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, required=True, help="folder of the gzipped IDX files")
    parser.add_argument("--golden", type=Path, help="golden vectors to compare with instead of timing")
    parser.add_argument("--steps", type=int, default=50, help="steps of one timing")
    parser.add_argument("--warmup", type=int, default=10, help="steps before the first timing")
    parser.add_argument("--threads", type=int, default=0, help="threads of the session (0: TensorFlow's choice)")
    parser.add_argument("--marks", type=float, nargs="+", help="seconds of training at which to draw, for the board")
    parser.add_argument("--images", type=int, default=10_000, help="images to draw at each")
    parser.add_argument("--out", type=Path, help="where they go")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tf.disable_v2_behavior()
    if options.golden:
        check_golden(options)
    elif options.marks:
        learn(options)
    else:
        serve(options)


if __name__ == "__main__":
    main()
