// Cameras, microphones and screens, and what can go wrong with them, in words.
import { TurnoutError } from './errors.js';
import { LocalTrack } from './tracks.js';

// Enough for a large tile, and what every camera can give.
export const usualVideo: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 24, max: 30 } };
export const usualAudio: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

export interface TracksOptions {
  audio?: boolean | MediaTrackConstraints;
  video?: boolean | MediaTrackConstraints;
}

/** Asks for the camera and the microphone at once, so that a person is asked once. Throws a TurnoutError media.*. */
export async function createTracks(options: TracksOptions = { audio: true, video: true }): Promise<LocalTrack[]> {
  const audio = wish(options.audio, usualAudio);
  const video = wish(options.video, usualVideo);
  if (!audio && !video) return [];
  let stream: MediaStream;
  try {
    stream = await devices().getUserMedia({ audio: audio ?? false, video: video ?? false });
  } catch (error) {
    throw asDeviceError(error, audio && video ? undefined : audio ? 'audio' : 'video');
  }
  return stream.getTracks().map((track) => new LocalTrack(track, undefined, (track.kind === 'audio' ? audio : video) ?? {}));
}

/** The tracks of a screen, a window or a tab that the person picks. */
export async function createScreenTracks(
  options: { audio?: boolean; contentHint?: 'detail' | 'motion' | 'text' } = {},
): Promise<LocalTrack[]> {
  let stream: MediaStream;
  try {
    // A screen is read more than watched: pixels before frames.
    stream = await devices().getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: options.audio ?? false });
  } catch (error) {
    throw asDeviceError(error, 'screen');
  }
  return stream.getTracks().map((track) => {
    if (track.kind === 'video') track.contentHint = options.contentHint ?? 'detail';
    return new LocalTrack(track, track.kind === 'audio' ? 'screenAudio' : 'screen');
  });
}

/** The devices there are. Their names are empty until the person has allowed one of the kind. */
export async function listDevices(kind?: MediaDeviceKind): Promise<MediaDeviceInfo[]> {
  const all = await devices().enumerateDevices();
  return all.filter((d) => (kind === undefined || d.kind === kind) && d.deviceId !== '');
}

/** A failed request for a device, with a code and a hint. */
export function asDeviceError(thrown: unknown, what?: 'audio' | 'video' | 'screen'): TurnoutError {
  if (thrown instanceof TurnoutError) return thrown;
  const name = thrown instanceof DOMException || thrown instanceof Error ? thrown.name : '';
  const device = { audio: 'microphone', video: 'camera', screen: 'screen', both: 'camera or microphone' }[what ?? 'both'];
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return new TurnoutError('media.denied', `the ${device} is not allowed`, {
        hint: 'allow it in the address bar and try again',
        cause: thrown,
      });
    case 'NotFoundError':
    case 'DevicesNotFoundError':
      return new TurnoutError('media.notFound', `no ${device} was found`, { hint: 'connect one and try again', cause: thrown });
    case 'NotReadableError':
    case 'AbortError':
      return new TurnoutError('media.inUse', `the ${device} is in use by another program`, {
        hint: 'close that program and try again',
        retryable: true,
        cause: thrown,
      });
    case 'OverconstrainedError':
      return new TurnoutError('media.overconstrained', `no ${device} can do what was asked`, {
        hint: 'choose another device',
        cause: thrown,
      });
    default:
      return new TurnoutError('media.notFound', `the ${device} cannot be used`, {
        hint: 'the page needs https or localhost',
        cause: thrown,
      });
  }
}

function wish(given: boolean | MediaTrackConstraints | undefined, usual: MediaTrackConstraints): MediaTrackConstraints | undefined {
  if (given === undefined || given === false) return undefined;
  return given === true ? usual : { ...usual, ...given };
}

function devices(): MediaDevices {
  // Not there in a page without https, whatever the types say.
  const found = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
  if (!found) throw new TurnoutError('media.denied', 'this page may not use devices', { hint: 'open it by https or on localhost' });
  return found;
}
