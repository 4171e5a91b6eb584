// A camera picture to look at, for the pictures in the documents: someone in front of a wall, breathing.
import { writeFileSync } from 'node:fs';

const width = 640;
const height = 360;
const frames = 20;

type RGB = readonly [number, number, number];

export interface Look {
  wall: RGB;
  light: RGB;
  skin: RGB;
  hair: RGB;
  shirt: RGB;
  /** Hair to the shoulders. */
  long?: boolean;
}

const mix = (a: RGB, b: RGB, t: number): RGB => [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];

/** 0 outside an ellipse, 1 inside, with a soft edge; 1 is the radius. */
function inside(x: number, y: number, cx: number, cy: number, rx: number, ry: number): number {
  const d = Math.hypot((x - cx) / rx, (y - cy) / ry);
  return Math.min(1, Math.max(0, (1.02 - d) * 25));
}

function paint(look: Look, x: number, y: number, breath: number): RGB {
  const glow = Math.max(0, 1 - Math.hypot(x - 470, y - 60) / 420);
  let colour = mix(look.wall, look.light, glow * 0.8);
  const cx = 320;
  const up = breath * 3;
  if (look.long) colour = mix(colour, look.hair, inside(x, y, cx, 190 - up, 96, 130));
  colour = mix(colour, look.shirt, inside(x, y, cx, 400 - up, 190, 130));
  colour = mix(colour, mix(look.skin, [0, 0, 0], 0.12), inside(x, y, cx, 268 - up, 34, 40));
  colour = mix(colour, look.hair, inside(x, y, cx, 148 - up, 78, 88));
  colour = mix(colour, look.skin, inside(x, y, cx, 172 - up, 64, 82));
  for (const side of [-25, 25]) {
    colour = mix(colour, [40, 34, 34], inside(x, y, cx + side, 164 - up, 5.5, 6.5));
    colour = mix(colour, look.hair, inside(x, y, cx + side, 146 - up, 15, 3.5));
  }
  const smile = Math.abs(Math.hypot((x - cx) / 26, (y - 200 + up) / 17) - 1) < 0.14 && y > 206 - up;
  return smile ? mix(colour, [150, 60, 60], 0.8) : colour;
}

/** Writes two seconds of camera picture as YUV4MPEG2 (BT.601). */
export function writePortrait(path: string, look: Look): void {
  const parts: Buffer[] = [Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`)];
  for (let frame = 0; frame < frames; frame++) {
    const breath = Math.sin((2 * Math.PI * frame) / frames);
    const luma = Buffer.alloc(width * height);
    const cb = Buffer.alloc((width * height) / 4);
    const cr = Buffer.alloc((width * height) / 4);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [r, g, b] = paint(look, x, y, breath);
        luma[y * width + x] = 16 + 0.257 * r + 0.504 * g + 0.098 * b;
        if ((x | y) & 1) continue;
        const at = (y / 2) * (width / 2) + x / 2;
        cb[at] = 128 - 0.148 * r - 0.291 * g + 0.439 * b;
        cr[at] = 128 + 0.439 * r - 0.368 * g - 0.071 * b;
      }
    }
    parts.push(Buffer.from('FRAME\n'), luma, cb, cr);
  }
  writeFileSync(path, Buffer.concat(parts));
}
