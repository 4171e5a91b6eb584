// Bad weather on the way to the server: datagrams are late, and some are lost.
import { createSocket, type Socket } from 'node:dgram';

export interface Weather {
  /** In one direction. */
  delayMs: number;
  /** Share of the datagrams that is lost, in each direction. */
  loss: number;
}

/** An address before the server's: what it gets goes on to the server, and back, through the weather. */
export class Way {
  readonly #front = createSocket({ type: 'udp4', reuseAddr: false });
  readonly #sockets = new Map<string, Socket>();
  weather: Weather = { delayMs: 0, loss: 0 };
  /** Datagrams that were lost to the weather. */
  lost = 0;

  async open(at: { address: string; port: number }, server: { address: string; port: number }): Promise<void> {
    this.#front.on('message', (datagram, from) => {
      const key = `${from.address}:${from.port}`;
      let socket = this.#sockets.get(key);
      if (!socket) {
        socket = createSocket('udp4');
        this.#sockets.set(key, socket);
        socket.on('message', (answer) => this.#carry(() => this.#front.send(answer, from.port, from.address)));
      }
      const out = socket;
      this.#carry(() => out.send(datagram, server.port, server.address));
    });
    await new Promise<void>((ready) => this.#front.bind(at.port, at.address, ready));
  }

  #carry(send: () => void): void {
    if (Math.random() < this.weather.loss) this.lost++;
    else if (this.weather.delayMs === 0) send();
    else setTimeout(() => this.#open && send(), this.weather.delayMs);
  }

  #open = true;

  close(): void {
    this.#open = false;
    this.#front.close();
    for (const socket of this.#sockets.values()) socket.close();
  }
}
