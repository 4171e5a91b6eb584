// @turnout/yjs: Yjs documents in a turnout room.
export { TurnoutProvider, type DocumentRoom, type ProviderEvents, type ProviderOptions, type Status } from './provider.js';
