import { ok, strictEqual } from "node:assert";
import { test } from "node:test";
import { GAMES } from "../src/games";
import { Trainer } from "../src/trainer";
import { golden, goldenJson } from "./golden";

for (const game of GAMES) {
  test(`three steps of fast by the game ${game} leave every parameter where PyTorch leaves it`, () => {
    const digits = golden("digits");
    const data = {
      image: { height: 12, width: 12, channels: 1 },
      pixels: Uint8Array.from(digits.get("pixels")?.data ?? []),
      labels: digits.get("labels")?.data ?? null,
      classes: 10,
    };
    const trainer = new Trainer({ data, seed: 3, batch: 8, epsilon: 1e-4, settings: { game, penaltyEvery: 2 } });
    const expected = golden(`training-${game}`);
    const networks = { learner: trainer.generator, discriminator: trainer.discriminator, generator: trainer.average };
    for (const [name, network] of Object.entries(networks)) {
      const prefix = `before.${name}.`;
      const entries = [...expected].filter(([key]) => key.startsWith(prefix));
      network.parameters.read(new Map(entries.map(([key, tensor]) => [key.slice(prefix.length), tensor])));
    }
    const terms = goldenJson<Record<string, number>>(`terms-${game}.json`);
    for (let step = 0; step < 3; step++) {
      const figures = trainer.next();
      strictEqual(figures.finite, true);
      const same = {
        loss_discriminator: figures.lossDiscriminator,
        loss_generator: figures.lossGenerator,
        loss_class_real: figures.lossClassReal,
        loss_class_fake: figures.lossClassFake,
        // The Python package returns scores only in games whose logits have a zero.
        ...(game === "relativistic" ? {} : { score_real: figures.scoreReal, score_fake: figures.scoreFake }),
        ...(figures.penalty === null ? {} : { penalty: figures.penalty }),
      };
      strictEqual(Object.keys(terms).filter((key) => key.startsWith(`${step}.`)).length, Object.keys(same).length);
      for (const [name, value] of Object.entries(same)) {
        const wanted = terms[`${step}.${name}`];
        ok(
          Math.abs(value - wanted) <= 1e-4 * Math.max(Math.abs(wanted), 1e-2),
          `${step} ${name}: ${value}, not ${wanted}`,
        );
      }
    }
    for (const [name, network] of Object.entries(networks)) {
      for (const [key, tensor] of network.parameters.write()) {
        const wanted = expected.get(`after.${name}.${key}`)?.data ?? new Float32Array();
        const started = expected.get(`before.${name}.${key}`)?.data ?? new Float32Array();
        strictEqual(tensor.data.length, wanted.length);
        const [error, size, moved] = [0, 1, 2].map((which) =>
          Math.sqrt(
            tensor.data.reduce((sum, x, i) => sum + [x - wanted[i], wanted[i], wanted[i] - started[i]][which] ** 2, 0),
          ),
        );
        ok(moved > 0, `${name}.${key} learned nothing`);
        ok(error <= 1e-4 * Math.min(size, moved), `${name}.${key} is off by ${error / moved} of how far it moved`);
      }
    }
  });
}
