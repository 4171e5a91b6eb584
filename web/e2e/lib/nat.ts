// Hosts behind NATs, all in namespaces of the test's own:
//
//   client 10.N.0.2 ── nat N ── 198.18.0.2N ──┐
//   client 10.M.0.2 ── nat M ── 198.18.0.2M ──┴── bridge, 198.18.0.10: this namespace, where the server runs
import { execFileSync } from 'node:child_process';

export const wan = '198.18.0.10';

/**
 * cone: one mapping for all destinations. symmetric: another port for every destination. udpBlocked: TCP only.
 * only443: port 443 only, over UDP and TCP. only443tcp: over TCP only. webOnly: the web server's port 7880 only. All let in only what
 * comes from where the client has sent to.
 */
export type NAT = 'cone' | 'symmetric' | 'udpBlocked' | 'only443' | 'only443tcp' | 'webOnly';

/** What the NAT's firewall does with datagrams and segments from inside. */
const firewall: Partial<Record<NAT, string[]>> = {
  udpBlocked: ['-p udp -j DROP'],
  only443: ['-p udp ! --dport 443 -j DROP', '-p tcp ! --dport 443 -j DROP'],
  only443tcp: ['-p udp -j DROP', '-p tcp ! --dport 443 -j DROP'],
  webOnly: ['-p udp -j DROP', '-p tcp ! --dport 7880 -j DROP'],
};

const run = (line: string): void => void execFileSync('/bin/sh', ['-ec', line], { stdio: ['ignore', 'ignore', 'inherit'] });

export class Internet {
  readonly #hosts: string[] = [];
  #open = false;

  /** Makes the bridge, on which a server can listen. It is not made before, so that a file whose tests are filtered out leaves none behind. */
  open(): void {
    if (this.#open) return;
    this.#open = true;
    run(`ip link add wan type bridge; ip addr add ${wan}/24 dev wan; ip link set wan up`);
  }

  /** Adds a client behind a NAT and returns the name of its namespace. */
  add(nat: NAT): string {
    this.open();
    const n = this.#hosts.length + 1;
    const [box, client] = [`nat${n}`, `client${n}`];
    this.#hosts.push(client);
    run(`
      ip netns add ${box}; ip netns add ${client}
      ip -n ${box} link set lo up; ip -n ${client} link set lo up
      ip link add wan${n} type veth peer name wan0 netns ${box}; ip link set wan${n} master wan up
      ip -n ${box} addr add 198.18.0.2${n}/24 dev wan0; ip -n ${box} link set wan0 up
      ip -n ${box} link add lan0 type veth peer name eth0 netns ${client}
      ip -n ${box} addr add 10.${n}.0.1/24 dev lan0; ip -n ${box} link set lan0 up
      ip -n ${client} addr add 10.${n}.0.2/24 dev eth0; ip -n ${client} link set eth0 up
      ip -n ${client} route add default via 10.${n}.0.1
      ip netns exec ${box} sysctl -qw net.ipv4.ip_forward=1
      ip netns exec ${box} iptables -t nat -A POSTROUTING -o wan0 -j MASQUERADE ${nat === 'symmetric' ? '--random-fully' : ''}
      ip netns exec ${box} iptables -A INPUT -i wan0 -j DROP # as routers do; else what nobody asked for would hold its port
    `);
    for (const rule of firewall[nat] ?? []) run(`ip netns exec ${box} iptables -A FORWARD -i lan0 ${rule}`);
    return client;
  }

  /** Adds a client from which an origin counts as secure: where a browser runs. */
  host(nat: NAT, origin: string): { namespace: string; origin: string } {
    return { namespace: this.add(nat), origin };
  }

  /** Nothing of this client's passes any more, in either direction, and nobody is told. */
  cut(client: string): void {
    run(`ip netns exec nat${client.slice('client'.length)} iptables -I FORWARD -j DROP`);
  }

  mend(client: string): void {
    run(`ip netns exec nat${client.slice('client'.length)} iptables -D FORWARD -j DROP`);
  }

  /** Has the NAT of a client forward a TCP port to it, and gives the addresses on both sides. */
  forward(client: string, port: number): { inside: string; outside: string } {
    const n = this.#hosts.indexOf(client) + 1;
    const inside = `10.${n}.0.2`;
    run(`ip netns exec nat${n} iptables -t nat -A PREROUTING -i wan0 -p tcp --dport ${port} -j DNAT --to-destination ${inside}`);
    return { inside, outside: `198.18.0.2${n}` };
  }

  remove(): void {
    for (let n = this.#hosts.length; n > 0; n--) run(`ip netns del client${n}; ip netns del nat${n}`);
    this.#hosts.length = 0;
    if (this.#open) run('ip link del wan');
    this.#open = false;
  }
}
