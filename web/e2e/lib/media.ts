// Media files for Chromium's fake devices: a plain colour with a moving bar, and a tone.
import { writeFileSync } from 'node:fs';

export type Colour = 'red' | 'green' | 'blue';

/** Y, Cb, Cr of BT.601, as a y4m file carries them. */
const yuv: Record<Colour, [number, number, number]> = {
  red: [81, 90, 240],
  green: [145, 54, 34],
  blue: [41, 240, 110],
};

const width = 320;
const height = 180;
const fps = 10;

/** Writes a second of camera picture as YUV4MPEG2. */
export function writeCamera(path: string, colour: Colour): void {
  const [y, cb, cr] = yuv[colour];
  const parts: Buffer[] = [Buffer.from(`YUV4MPEG2 W${width} H${height} F${fps}:1 Ip A1:1 C420jpeg\n`)];
  for (let frame = 0; frame < fps; frame++) {
    const luma = Buffer.alloc(width * height, y);
    const bar = Math.floor((frame * width) / fps);
    for (let row = 0; row < 16; row++) luma.fill(235, row * width + bar, row * width + Math.min(bar + 24, width));
    const chroma = (width / 2) * (height / 2);
    parts.push(Buffer.from('FRAME\n'), luma, Buffer.alloc(chroma, cb), Buffer.alloc(chroma, cr));
  }
  writeFileSync(path, Buffer.concat(parts));
}

/** Writes two seconds of a sine tone as a 48 kHz mono WAV file; hz must be even so that it loops without a click. */
export function writeTone(path: string, hz: number): void {
  const rate = 48_000;
  const samples = rate * 2;
  const data = Buffer.alloc(samples * 2);
  for (let i = 0; i < samples; i++) data.writeInt16LE(Math.round(9000 * Math.sin((2 * Math.PI * hz * i) / rate)), i * 2);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20); // PCM
  head.writeUInt16LE(1, 22); // mono
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  writeFileSync(path, Buffer.concat([head, data]));
}
