import type { ParticipantView, PublicationView } from '@turnout/client';
import type { ReactElement } from 'react';
import { useAttached } from '../ui/useAttached.js';

/** Plays everyone else. */
export function RoomAudio({ participants }: { participants: readonly ParticipantView[] }): ReactElement {
  const sounds = participants.flatMap((p) => p.publications.filter((publication) => publication.kind === 'audio' && publication.track));
  return (
    <>
      {sounds.map((publication) => (
        <Sound key={publication.id} publication={publication} />
      ))}
    </>
  );
}

function Sound({ publication }: { publication: PublicationView }): ReactElement {
  const ref = useAttached<HTMLAudioElement>(publication.track, publication.media);
  return <audio ref={ref} data-testid="audio" />;
}
