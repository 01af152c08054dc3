/** Adam without momentum (Kingma and Ba, 2015, algorithm 1, with β₁ = 0), for the parameters of one network. */

import type { Parameters } from "./parameters";
import type { Workspace } from "./workspace";

/** The decay rate of the squared gradients. With 0.99 runs diverged; see the Python package's notes on experiments. */
const BETA2 = 0.9;

export class Adam {
  private readonly squares: number;
  private steps = 0;

  constructor(
    private readonly ws: Workspace,
    private readonly parameters: Parameters,
    private readonly epsilon: number,
  ) {
    this.squares = ws.allocate(parameters.count);
  }

  /** Update the parameters once from their gradients. */
  step(learningRate: number): void {
    const { values, gradients, count } = this.parameters;
    const f = this.ws.floats;
    const correction = 1 / (1 - BETA2 ** ++this.steps);
    for (let i = 0; i < count; i++) {
      const gradient = f[gradients + i];
      const square = BETA2 * f[this.squares + i] + (1 - BETA2) * gradient * gradient;
      f[this.squares + i] = square;
      f[values + i] -= (learningRate * gradient) / (Math.sqrt(square * correction) + this.epsilon);
    }
  }
}
