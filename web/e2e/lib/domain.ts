// A host name with a certificate that a browser verifies as it would one of the Internet: by an authority it trusts.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const run = (program: string, ...args: string[]): void => void execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });

export class Domain {
  readonly cert: string;
  readonly key: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'turnout-domain-'));

  constructor(
    readonly name: string,
    readonly address: string,
  ) {
    const file = (name: string) => join(this.#folder, name);
    [this.cert, this.key] = [file('cert.pem'), file('key.pem')];
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    run('openssl', 'req', '-x509', ...ec, '-keyout', file('ca-key.pem'), '-out', this.authority, '-subj', '/CN=turnout test authority');
    run('openssl', 'req', '-new', ...ec.slice(0, -2), '-keyout', this.key, '-out', file('request.pem'), '-subj', `/CN=${name}`);
    writeFileSync(file('extensions'), `subjectAltName=DNS:${name}\nextendedKeyUsage=serverAuth\n`);
    const issuer = ['-CA', this.authority, '-CAkey', file('ca-key.pem'), '-CAcreateserial', '-days', '2'];
    run('openssl', 'x509', '-req', '-in', file('request.pem'), ...issuer, '-extfile', file('extensions'), '-out', this.cert);
    // The tests have a mount namespace of their own, see in-namespace.
    writeFileSync(file('hosts'), `${readFileSync('/etc/hosts', 'utf8')}\n${address} ${name}\n`);
    run('mount', '--bind', file('hosts'), '/etc/hosts');
  }

  get authority(): string {
    return join(this.#folder, 'ca.pem');
  }

  remove(): void {
    run('umount', '/etc/hosts');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Has the browser whose certificate database is in a folder trust an authority. */
export function trust(folder: string, authority: string): void {
  mkdirSync(folder, { recursive: true });
  run('certutil', '-N', '-d', `sql:${folder}`, '--empty-password');
  run('certutil', '-A', '-d', `sql:${folder}`, '-n', 'turnout test authority', '-t', 'C,,', '-i', authority);
}
