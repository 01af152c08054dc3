/**
 * The adversarial losses of `inkgan.training.losses`, with their gradients. Logits [N] of real and of generated images
 * are paired by position; the result is the mean loss over the pairs, and its gradient with respect to each logit.
 */

import { sigmoid, softplus } from "./layers";

export const GAMES = ["relativistic", "non-saturating", "hinge", "least-squares"] as const;
export type GameName = (typeof GAMES)[number];

/** One pair's loss, and its derivatives with respect to the logits of the real and of the generated image. */
type Pair = readonly [loss: number, byReal: number, byFake: number];

interface Game {
  readonly discriminator: (real: number, fake: number) => Pair;
  readonly generator: (real: number, fake: number) => Pair;
}

const games: Readonly<Record<GameName, Game>> = {
  // Jolicoeur-Martineau, "The relativistic discriminator", 2018, section 4.2, with f = softplus.
  relativistic: {
    discriminator: (real, fake) => [softplus(fake - real), -sigmoid(fake - real), sigmoid(fake - real)],
    generator: (real, fake) => [softplus(real - fake), sigmoid(real - fake), -sigmoid(real - fake)],
  },
  // Goodfellow et al., "Generative Adversarial Networks", 2014, equation 1 and section 3.
  "non-saturating": {
    discriminator: (real, fake) => [softplus(-real) + softplus(fake), -sigmoid(-real), sigmoid(fake)],
    generator: (_, fake) => [softplus(-fake), 0, -sigmoid(-fake)],
  },
  // Lim and Ye, "Geometric GAN", 2017, equations 16 and 17.
  hinge: {
    discriminator: (real, fake) => [
      Math.max(0, 1 - real) + Math.max(0, 1 + fake),
      real < 1 ? -1 : 0,
      fake > -1 ? 1 : 0,
    ],
    generator: (_, fake) => [-fake, 0, -1],
  },
  // Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 2 with a = -1, b = 1, c = 1.
  "least-squares": {
    discriminator: (real, fake) => [((real - 1) ** 2 + (fake + 1) ** 2) / 2, real - 1, fake + 1],
    generator: (_, fake) => [(fake - 1) ** 2 / 2, 0, fake - 1],
  },
};

export interface Played {
  readonly loss: number;
  readonly dReal: Float32Array;
  readonly dFake: Float32Array;
}

/** The loss of one player, and its gradients with respect to the logits. */
export function play(game: GameName, player: keyof Game, real: Float32Array, fake: Float32Array): Played {
  const n = real.length;
  const dReal = new Float32Array(n);
  const dFake = new Float32Array(n);
  let loss = 0;
  for (let i = 0; i < n; i++) {
    const [one, byReal, byFake] = games[game][player](real[i], fake[i]);
    loss += one / n;
    dReal[i] = byReal / n;
    dFake[i] = byFake / n;
  }
  return { loss, dReal, dFake };
}
