// Small things a browser remembers. Storage may be forbidden: then nothing is remembered.

export function recall(key: string, storage: Storage | undefined = local()): string | undefined {
  try {
    return storage?.getItem(`turnout.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(key: string, value: string | undefined, storage: Storage | undefined = local()): void {
  try {
    if (value === undefined) storage?.removeItem(`turnout.${key}`);
    else storage?.setItem(`turnout.${key}`, value);
  } catch {
    // full or forbidden
  }
}

function local(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}

const recentRooms = 4;

export function rooms(): string[] {
  try {
    const list: unknown = JSON.parse(recall('rooms') ?? '[]');
    return Array.isArray(list) ? list.filter((r): r is string => typeof r === 'string').slice(0, recentRooms) : [];
  } catch {
    return [];
  }
}

export function rememberRoom(room: string): void {
  remember('rooms', JSON.stringify([room, ...rooms().filter((r) => r !== room)].slice(0, recentRooms)));
}
