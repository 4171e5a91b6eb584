import type { ReactElement } from 'react';
import { Lobby } from './lobby/Lobby.js';
import { RoomPage } from './RoomPage.js';
import { roomIn, usePath } from './route.js';

export function App(): ReactElement {
  const path = usePath();
  const room = roomIn(path);
  return room === undefined ? <Lobby lost={path !== '/'} /> : <RoomPage key={room} room={room} />;
}
