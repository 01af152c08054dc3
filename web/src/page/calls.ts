/** Calling functions in a worker: a message there, news while it works, and an answer back. */

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

export interface Answer {
  readonly id: number;
  readonly kind: "done" | "news" | "failed";
  readonly value: unknown;
}

type News = (value: never) => void;

/** A worker whose functions are called by message and answer with promises. */
export class Caller {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, { done(value: unknown): void; failed(error: Error): void; news: News }>();
  private last = 0;

  constructor(source: string) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.worker = new Worker(url);
    URL.revokeObjectURL(url);
    this.worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.answered(data));
    this.worker.addEventListener("error", (event) => {
      for (const { failed } of this.waiting.values()) {
        failed(new Error(event.message));
      }
    });
  }

  /** Call a function; `news` receives what it reports before it is done. */
  call<T>(method: string, argument: unknown, news: (value: never) => void = () => undefined): Promise<T> {
    const id = ++this.last;
    return new Promise<T>((done, failed) => {
      this.waiting.set(id, { done: done as (value: unknown) => void, failed, news });
      this.worker.postMessage({ id, method, argument } satisfies Call);
    });
  }

  private answered({ id, kind, value }: Answer): void {
    const waiting = this.waiting.get(id);
    if (!waiting) {
      return;
    }
    if (kind === "news") {
      waiting.news(value as never);
      return;
    }
    this.waiting.delete(id);
    if (kind === "done") {
      waiting.done(value);
    } else {
      waiting.failed(new Error(String(value)));
    }
  }
}

/** In the worker: answer each call with the function of that name. */
export function answer(
  functions: Readonly<Record<string, (argument: never, news: (value: unknown) => void) => unknown>>,
): void {
  self.addEventListener("message", async ({ data }: MessageEvent<Call>) => {
    const reply = (kind: Answer["kind"], value: unknown) =>
      self.postMessage({ id: data.id, kind, value } satisfies Answer);
    try {
      reply("done", await functions[data.method](data.argument as never, (value) => reply("news", value)));
    } catch (error) {
      reply("failed", error instanceof Error ? error.message : error);
    }
  });
}
