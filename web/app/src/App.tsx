import type { ReactElement } from 'react';
import { Lobby } from './lobby/Lobby.js';
import { RoomPage } from './RoomPage.js';
import { roomIn, usePath } from './route.js';

export function App(): ReactElement {
  const room = roomIn(usePath());
  return room === undefined ? <Lobby /> : <RoomPage key={room} room={room} />;
}
