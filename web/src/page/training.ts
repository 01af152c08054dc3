/** The training of the view "Learn": at most one, whatever is pressed while it starts, runs or pauses. */

import type { Settings } from "../trainer";
import type { Inkgan, TrainerHandle, TrainerRequest } from "./api";
import type { Progress } from "./worker";

type News = (progress: Progress) => void;

export class Training {
  private handle: TrainerHandle | null = null;
  private starting: Promise<TrainerHandle> | null = null; // a second click waits for what the first one starts
  private resets = 0; // a training that started before the last reset is forgotten
  private stops = 0; // pauses and resets; a run that was asked for before the last one does not begin
  private runs = 0; // a run that a later one followed does not say that nothing runs

  /**
   * `request` gives what a new training starts with, null if the reader has to correct it; `settings` those of now;
   * `begun` is called when a new training has begun.
   */
  constructor(
    private readonly inkgan: Inkgan,
    private readonly request: () => TrainerRequest | null,
    private readonly settings: () => Partial<Settings>,
    private readonly begun: () => void,
  ) {}

  /** The training under way; null if there is none, or if a script on the page has started another one. */
  get current(): TrainerHandle | null {
    return this.handle?.ended ? null : this.handle;
  }

  /** Train until the run is complete or paused; `shown` hears when it begins and when nothing runs any more. */
  async run(between: number, news: News, shown: (running: boolean) => void): Promise<void> {
    const before = this.stops;
    const trainer = await this.started();
    if (trainer && before === this.stops) {
      const mine = ++this.runs;
      shown(true);
      try {
        await trainer.run({ between, news });
      } finally {
        if (mine === this.runs) {
          shown(false);
        }
      }
    }
  }

  async step(news: News): Promise<void> {
    const progress = await (await this.started())?.step();
    if (progress) {
      news(progress);
    }
  }

  stop() {
    this.stops++;
    return this.current?.pause();
  }

  /** Forget the training at once; what is pressed next is for a new one. The promise waits until this one pauses. */
  async reset(): Promise<void> {
    const stopped = this.stop();
    this.resets++;
    this.starting = null;
    this.handle = null;
    await stopped;
  }

  /** The training to go on with, a new one if there is none; null if there is no step to do. */
  private async started(): Promise<TrainerHandle | null> {
    if (!this.current) {
      const request = this.request();
      if (!request) {
        return null;
      }
      const before = this.resets;
      this.starting ??= this.inkgan.trainer(request).finally(() => {
        if (before === this.resets) {
          this.starting = null;
        }
      });
      const begun = await this.starting;
      if (before !== this.resets) {
        return null;
      }
      this.handle = begun;
      this.begun();
      await begun.change(this.settings()); // they may have changed while it started
    }
    const trainer = this.current;
    return trainer?.complete ? null : trainer;
  }
}
