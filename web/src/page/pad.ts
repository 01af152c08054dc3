/** The canvas of the view "Your hand". */

import { DIGIT } from "../digits";
import { toUint8 } from "../rounding";
import { asImage, colour, context, make, paint, presses } from "./dom";
import { label } from "./texts";

/** Pixels on a side of the canvas. */
export const SIDE = 280;
const PEN = 22; // about as wide, after shrinking, as MNIST's strokes

/** A canvas to draw on with a round pen. It calls `changed` when no further stroke seems to follow. */
export function drawingPad(changed: () => void) {
  const canvas = make("canvas", { width: SIDE, height: SIDE, class: "pad", role: "img" });
  label(canvas, "handCanvas");
  const pen = context(canvas);
  let last: [number, number] | null = null;
  let timer = 0; // runs while a further stroke may follow the last one
  const take = () => {
    timer = 0;
    changed();
  };
  const forget = () => {
    clearTimeout(timer);
    timer = 0;
  };
  const place = (event: PointerEvent): [number, number] => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  };
  const lineTo = (event: PointerEvent) => {
    const [x, y] = place(event);
    pen.lineWidth = PEN;
    pen.lineCap = "round";
    pen.strokeStyle = `rgb(${colour("ink")})`;
    pen.beginPath();
    pen.moveTo(...(last ?? [x, y]));
    pen.lineTo(x, y);
    pen.stroke();
    last = [x, y];
  };
  paint(canvas, () => {
    pen.globalCompositeOperation = "source-in"; // what was drawn keeps its shape, in the present colour of ink
    pen.fillStyle = `rgb(${colour("ink")})`;
    pen.fillRect(0, 0, SIDE, SIDE);
    pen.globalCompositeOperation = "source-over";
  });
  // Another finger, or the palm, would draw lines from where the first one is; so would the menu of the right button.
  canvas.addEventListener("pointerdown", (event) => {
    if (!presses(event)) {
      return;
    }
    canvas.setPointerCapture(event.pointerId);
    forget();
    lineTo(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last && presses(event)) {
      lineTo(event);
    }
  });
  const end = (event: PointerEvent) => {
    if (last && event.isPrimary) {
      last = null;
      timer = window.setTimeout(take, 600); // a 4 or a 5 may have a second stroke
    }
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  return {
    canvas,
    clear: () => {
      forget();
      pen.clearRect(0, 0, SIDE, SIDE);
    },
    /** Do not wait for a further stroke. */
    settle: () => {
      if (timer) {
        forget();
        take();
      }
    },
    ink: () => {
      const { data } = pen.getImageData(0, 0, SIDE, SIDE);
      return Float32Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i + 3] / 255);
    },
    show: (pixels: Float32Array) => {
      forget();
      const small = make("canvas", { width: DIGIT.width, height: DIGIT.height });
      context(small).putImageData(asImage(toUint8(pixels), DIGIT.width, DIGIT.height, DIGIT.channels), 0, 0);
      pen.clearRect(0, 0, SIDE, SIDE);
      pen.drawImage(small, 0, 0, SIDE, SIDE);
    },
  };
}
