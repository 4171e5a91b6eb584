// Checks of values that came from outside. A check gives the value with only the fields it knows, or throws Malformed.

/** A value does not have the shape it should have. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** Gives value as T, or throws Malformed naming the place `at`. */
export type Check<T> = (value: unknown, at: string) => T;

/** The type a check gives. */
export type Checked<C> = C extends Check<infer T> ? T : never;

function wrong(at: string, wanted: string): never {
  throw new Malformed(`${at}: ${wanted} expected`);
}

export const string: Check<string> = (value, at) => (typeof value === 'string' ? value : wrong(at, 'a string'));
export const boolean: Check<boolean> = (value, at) => (typeof value === 'boolean' ? value : wrong(at, 'true or false'));
export const number: Check<number> = (value, at) => (typeof value === 'number' && Number.isFinite(value) ? value : wrong(at, 'a number'));
export const integer: Check<number> = (value, at) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : wrong(at, 'a whole number');

export function oneOf<const T extends string>(...words: T[]): Check<T> {
  return (value, at) => words.find((word) => word === value) ?? wrong(at, words.join(' or '));
}

export function list<T>(item: Check<T>): Check<T[]> {
  return (value, at) => (Array.isArray(value) ? value.map((v, i) => item(v, `${at}[${i}]`)) : wrong(at, 'a list'));
}

export function record<T>(item: Check<T>): Check<Record<string, T>> {
  // fromEntries defines own properties, so that a key like __proto__ stays a key.
  return (value, at) => Object.fromEntries(Object.entries(asObject(value, at)).map(([k, v]) => [k, item(v, `${at}.${k}`)]));
}

/** Marks a field of an object that may be left out. */
export interface Optional<T> {
  readonly optional: Check<T>;
}

export function optional<T>(check: Check<T>): Optional<T> {
  return { optional: check };
}

type Shape = Record<string, Check<unknown> | Optional<unknown>>;
type Required<S> = { [K in keyof S as S[K] extends Check<unknown> ? K : never]: S[K] extends Check<infer T> ? T : never };
type Left<S> = { [K in keyof S as S[K] extends Optional<unknown> ? K : never]?: S[K] extends Optional<infer T> ? T : never };

export function object<const S extends Shape>(shape: S): Check<Required<S> & Left<S>> {
  const fields = Object.entries(shape);
  return (value, at) => {
    const given = asObject(value, at);
    const out: Record<string, unknown> = {};
    for (const [key, check] of fields) {
      const field = Object.hasOwn(given, key) ? given[key] : undefined;
      if (typeof check === 'function') out[key] = check(field, `${at}.${key}`);
      else if (field !== undefined) out[key] = check.optional(field, `${at}.${key}`);
    }
    return out as Required<S> & Left<S>;
  };
}

function asObject(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(at, 'an object');
  return value as Record<string, unknown>;
}
