/**
 * Random numbers as in `inkgan.seeds`: a pure function of (seed, stream, index), with NumPy's results.
 *
 * Philox4x64-10 is Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011, section 3.3. A 64-bit word is two
 * 32-bit halves, as JavaScript has no fast 64-bit integers. Normals follow Marsaglia and Tsang, "The Ziggurat Method
 * for Generating Random Variables", 2000, with 256 strips, and use the bits as NumPy does.
 */

/** The purposes of random numbers. The values are those of `inkgan.seeds.Stream`. */
export const Stream = {
  INITIALISATION: 0,
  DATA_ORDER: 1,
  GENERATOR_LATENTS: 3,
  FIXED_LATENTS: 5,
  SAMPLE_LATENTS: 7,
  WRITER: 10,
  WRITING: 11,
  MEASURED_LATENTS: 12,
} as const;

const ROUNDS = 10;
const MULTIPLIERS = [0xd2e7470e, 0xe14c6c93, 0xca5a8263, 0x95121157] as const; // high and low half of both
const WEYL = [0x9e3779b9, 0x7f4a7c15, 0xbb67ae85, 0x84caa73b] as const;
const TWO_32 = 2 ** 32;

/** The product of two 32-bit words: [high, low] into `out` from `at` on. */
function multiply32(a: number, b: number, out: Uint32Array, at: number): void {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const low = Math.imul(aLow, bLow) >>> 0;
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (low >>> 16); // below 2^32, and so is `cross`
  const cross = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff);
  out[at] = (Math.imul(aHigh, bHigh) >>> 0) + (middle >>> 16) + (cross >>> 16);
  out[at + 1] = ((cross & 0xffff) << 16) | (low & 0xffff);
}

const partial = new Uint32Array(8);
const product = new Uint32Array(4);
const roundKey = new Uint32Array(4);

/** The 128-bit product of (aHigh, aLow) and (bHigh, bLow) into `product`, the highest word first. */
function multiply64(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  multiply32(aLow, bLow, partial, 0);
  multiply32(aHigh, bLow, partial, 2);
  multiply32(aLow, bHigh, partial, 4);
  multiply32(aHigh, bHigh, partial, 6);
  const second = partial[0] + partial[3] + partial[5];
  const third = Math.floor(second / TWO_32) + partial[2] + partial[4] + partial[7];
  product[3] = partial[1];
  product[2] = second;
  product[1] = third;
  product[0] = Math.floor(third / TWO_32) + partial[6];
}

interface Ziggurat {
  readonly width: ArrayLike<number>;
  readonly inside: Float64Array;
  readonly density: ArrayLike<number>;
}

const NORMAL_START = 3.6541528853610088; // where the tail begins
const STRIP_AREA = 0.004928673233974655;

/** The strips for draws of `bits` bits: widths over 2^bits, the integers below which a draw is accepted, densities. */
function makeZiggurat(bits: number): Ziggurat {
  const scale = 2 ** bits;
  const density = (x: number) => Math.exp(-0.5 * x * x);
  const widths = new Float64Array(256);
  const inside = new Float64Array(256);
  const densities = new Float64Array(256);
  widths[0] = STRIP_AREA / density(NORMAL_START) / scale;
  inside[0] = Math.floor((NORMAL_START * density(NORMAL_START) * scale) / STRIP_AREA);
  densities[0] = 1;
  let outer = NORMAL_START;
  widths[255] = outer / scale;
  densities[255] = density(outer);
  for (let i = 254; i > 0; i--) {
    const x = Math.sqrt(-2 * Math.log(STRIP_AREA / outer + density(outer)));
    inside[i + 1] = Math.floor((x / outer) * scale);
    widths[i] = x / scale;
    densities[i] = density(x);
    outer = x;
  }
  return { width: widths, inside, density: densities };
}

const ofDouble = makeZiggurat(52);
const ofFloat = asFloat32(makeZiggurat(23));

function asFloat32(table: Ziggurat): Ziggurat {
  return { width: Float32Array.from(table.width), inside: table.inside, density: Float32Array.from(table.density) };
}

/** NumPy's `Generator(Philox(key=[seed, stream], counter=[0, 0, index, 0]))`. */
export class Philox {
  private readonly key = new Uint32Array(4); // high, low, high, low
  private readonly counter = new Uint32Array(8);
  private readonly block = new Uint32Array(8);
  private position = 4;
  private kept = 0; // the high half of a word whose low half was used
  private hasKept = false;
  private high = 0;
  private low = 0;

  constructor(seed: number | bigint, stream: number, index: number | bigint = 0) {
    split(BigInt(seed), this.key, 0);
    split(BigInt(stream), this.key, 2);
    split(BigInt(index), this.counter, 4);
  }

  /** The next 32 bits. */
  uint32(): number {
    if (this.hasKept) {
      this.hasKept = false;
      return this.kept;
    }
    this.next();
    this.hasKept = true;
    this.kept = this.high;
    return this.low;
  }

  /** A double in [0, 1). */
  double(): number {
    this.next();
    return (this.high * 2 ** 21 + (this.low >>> 11)) / 2 ** 53;
  }

  /** A float32 in [0, 1). */
  float(): number {
    return (this.uint32() >>> 8) / 2 ** 24;
  }

  /** A double in [low, high). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.double();
  }

  /** An integer in [0, count): Lemire, "Fast Random Integer Generation in an Interval", 2019. */
  integer(count: number): number {
    if (count === 1) {
      return 0;
    }
    const pair = new Uint32Array(2);
    const threshold = (TWO_32 - count) % count;
    do {
      multiply32(this.uint32(), count, pair, 0);
    } while (pair[1] < threshold);
    return pair[0];
  }

  /** An integer in [0, largest], as NumPy's shuffling draws it: masked bits, drawn again while above `largest`. */
  private upTo(largest: number): number {
    const mask = 2 ** (32 - Math.clz32(largest)) - 1;
    for (;;) {
      const drawn = (this.uint32() & mask) >>> 0;
      if (drawn <= largest) {
        return drawn;
      }
    }
  }

  /** The numbers 0 to count - 1 in a random order. */
  permutation(count: number): Int32Array {
    const order = Int32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.upTo(i);
      const moved = order[j];
      order[j] = order[i];
      order[i] = moved;
    }
    return order;
  }

  /** A normal double. */
  normal(): number {
    for (;;) {
      this.next();
      const strip = this.low & 0xff;
      const bits = ((this.high >>> 9) & 0xfffff) * TWO_32 + (((this.high << 23) | (this.low >>> 9)) >>> 0);
      const x = bits * ofDouble.width[strip];
      const signed = this.low & 0x100 ? -x : x;
      if (bits < ofDouble.inside[strip]) {
        return signed;
      }
      if (strip === 0) {
        return this.tail(Math.floor(bits / 256) % 2 === 1);
      }
      const between = ofDouble.density[strip - 1] - ofDouble.density[strip];
      if (between * this.double() + ofDouble.density[strip] < Math.exp(-0.5 * x * x)) {
        return signed;
      }
    }
  }

  private tail(negative: boolean): number {
    for (;;) {
      const x = -Math.log1p(-this.double()) / NORMAL_START;
      const y = -Math.log1p(-this.double());
      if (y + y > x * x) {
        return negative ? -(NORMAL_START + x) : NORMAL_START + x;
      }
    }
  }

  /** A normal float32. */
  normal32(): number {
    const f = Math.fround;
    for (;;) {
      const word = this.uint32();
      const strip = word & 0xff;
      const bits = word >>> 9;
      const x = f(bits * ofFloat.width[strip]);
      const signed = word & 0x100 ? -x : x;
      if (bits < ofFloat.inside[strip]) {
        return signed;
      }
      if (strip === 0) {
        return this.tail32((bits & 0x100) !== 0);
      }
      const between = f(ofFloat.density[strip - 1] - ofFloat.density[strip]);
      if (f(f(between * this.float()) + ofFloat.density[strip]) < Math.exp(-0.5 * x * x)) {
        return signed;
      }
    }
  }

  private tail32(negative: boolean): number {
    const f = Math.fround;
    const start = f(NORMAL_START);
    for (;;) {
      const x = f(-f(1 / NORMAL_START) * f(Math.log1p(-this.float())));
      const y = -f(Math.log1p(-this.float()));
      if (f(y + y) > f(x * x)) {
        return negative ? -f(start + x) : f(start + x);
      }
    }
  }

  /** `count` normal float32 numbers. */
  normals32(count: number): Float32Array {
    const result = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      result[i] = this.normal32();
    }
    return result;
  }

  private next(): void {
    if (this.position === 4) {
      this.advance();
      this.position = 0;
    }
    this.high = this.block[2 * this.position];
    this.low = this.block[2 * this.position + 1];
    this.position++;
  }

  private advance(): void {
    const { counter, block } = this;
    for (let word = 0; word < 4; word++) {
      counter[2 * word + 1]++;
      if (counter[2 * word + 1] !== 0 || ++counter[2 * word] !== 0) {
        break;
      }
    }
    block.set(counter);
    const key = roundKey;
    key.set(this.key);
    for (let round = 0; round < ROUNDS; round++) {
      multiply64(MULTIPLIERS[0], MULTIPLIERS[1], block[0], block[1]);
      const high0 = product[0];
      const high1 = product[1];
      const low0 = product[2];
      const low1 = product[3];
      multiply64(MULTIPLIERS[2], MULTIPLIERS[3], block[4], block[5]);
      block[0] = product[0] ^ block[2] ^ key[0];
      block[1] = product[1] ^ block[3] ^ key[1];
      block[2] = product[2];
      block[3] = product[3];
      block[4] = high0 ^ block[6] ^ key[2];
      block[5] = high1 ^ block[7] ^ key[3];
      block[6] = low0;
      block[7] = low1;
      addTo(key, 0, WEYL[0], WEYL[1]);
      addTo(key, 2, WEYL[2], WEYL[3]);
    }
  }
}

function addTo(words: Uint32Array, at: number, high: number, low: number): void {
  const sum = words[at + 1] + low;
  words[at + 1] = sum;
  words[at] = words[at] + high + (sum >= TWO_32 ? 1 : 0);
}

function split(value: bigint, out: Uint32Array, at: number): void {
  out[at] = Number((value >> 32n) & 0xffffffffn);
  out[at + 1] = Number(value & 0xffffffffn);
}

/** Latents [count, size] for one index of a stream, like `inkgan.seeds.latents`. */
export function latents(
  seed: number | bigint,
  stream: number,
  index: number | bigint,
  count: number,
  size: number,
): Float32Array {
  return new Philox(seed, stream, index).normals32(count * size);
}

/** The examples of each batch, in a new random order each epoch, like `inkgan.seeds.BatchOrder`. */
export class BatchOrder {
  private epoch = -1;
  private order: Int32Array = new Int32Array(0);

  constructor(
    private readonly seed: number | bigint,
    private readonly examples: number,
    private readonly batchSize: number,
  ) {}

  /** The indices [batchSize] of batch `number` (0 or above). */
  batch(number: number): Int32Array {
    const result = new Int32Array(this.batchSize);
    for (let i = 0; i < this.batchSize; i++) {
      const place = number * this.batchSize + i;
      const epoch = Math.floor(place / this.examples);
      if (epoch !== this.epoch) {
        this.order = new Philox(this.seed, Stream.DATA_ORDER, epoch).permutation(this.examples);
        this.epoch = epoch;
      }
      result[i] = this.order[place % this.examples];
    }
    return result;
  }
}
