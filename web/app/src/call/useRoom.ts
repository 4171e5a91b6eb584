import type { Room, RoomSnapshot } from '@turnout/client';
import { useSyncExternalStore } from 'react';

export function useRoom(room: Room): RoomSnapshot {
  return useSyncExternalStore(room.subscribe, room.getSnapshot);
}
