import { type RefObject, useEffect, useRef } from 'react';

interface Attachable {
  attach(element?: HTMLMediaElement): HTMLMediaElement;
  detach(element?: HTMLMediaElement): void;
}

/** An element that shows a track as long as it is on the page. media says when the track shows something else. */
export function useAttached<E extends HTMLMediaElement = HTMLVideoElement>(
  track: Attachable | undefined,
  media: MediaStreamTrack | undefined,
): RefObject<E | null> {
  const ref = useRef<E>(null);
  useEffect(() => {
    const element = ref.current;
    if (!track || !element) return undefined;
    track.attach(element);
    return () => track.detach(element);
  }, [track, media]);
  return ref;
}
