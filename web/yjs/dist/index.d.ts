export { TurnoutProvider, type DocumentRoom, type ProviderEvents, type ProviderOptions, type Status } from './provider.js';
