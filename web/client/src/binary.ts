// The binary messages of the signaling connection, as data needs them.
import type { Signal } from './signal.js';
import type { Socket } from './wires.js';

/** Those of whichever connection there is. */
export function binaryOf(signal: () => Signal | undefined): Socket {
  return {
    get bufferedAmount() {
      return signal()?.bufferedAmount ?? 0;
    },
    send: (message) => signal()?.sendBinary(message),
  };
}
