/** What the page holds besides its script: a model, a classifier, real digits, recorded runs. */

import type { Description } from "../description";
import { unpackDigits } from "../digits";
import { unpackReplay } from "../replay";
import type { Contents } from "./api";

/** Part of what the page should hold is missing, or is not as it was written. */
export class DamagedPage extends Error {}

/** Decompress bytes. The page holds zlib's format ("deflate"), files hold gzip's. */
export async function unzipped(blob: Blob, format: CompressionFormat = "gzip"): Promise<Uint8Array> {
  const stream = blob.stream().pipeThrough(new DecompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function textOf(name: string): string | null {
  return document.getElementById(`inkgan-${name}`)?.textContent ?? null;
}

async function bytesOf(name: string): Promise<Uint8Array | null> {
  const text = textOf(name);
  if (!text) {
    return null;
  }
  try {
    const characters = atob(text.trim());
    const bytes = new Uint8Array(characters.length);
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = characters.charCodeAt(i); // `Uint8Array.from` with a function would block the page for 0.1 s
    }
    return await unzipped(new Blob([bytes]), "deflate");
  } catch (error) {
    throw new DamagedPage(`its ${name}: ${error}`); // the browsers' own words are about something else
  }
}

interface About {
  readonly name: string;
  readonly image_shape: [number, number, number];
  readonly num_classes: number;
  readonly class_names: readonly string[];
  readonly latent_dim: number;
  readonly channels: number;
  readonly slope: number;
}

/** Read what the page holds. */
export async function contentsOfPage(): Promise<Contents> {
  const about = JSON.parse(textOf("model") ?? "null") as About | null;
  const weights = await bytesOf("weights");
  if (!about || !weights) {
    throw new DamagedPage("it holds no model");
  }
  const [height, width, channels] = about.image_shape;
  const description: Description = {
    image: { height, width, channels },
    classes: about.num_classes,
    names: about.class_names,
    latent: about.latent_dim,
    channels: about.channels,
    slope: about.slope,
  };
  const digits = await bytesOf("digits");
  const replay = await bytesOf("replay");
  return {
    name: about.name,
    description,
    weights,
    classifier: await bytesOf("classifier"),
    digits: digits && unpackDigits(digits),
    replay: replay && unpackReplay(replay),
  };
}
