import type { ParticipantView, PublicationView } from '@turnout/client';
import { MicOff, MonitorUp } from 'lucide-react';
import { memo, type CSSProperties, type ReactElement } from 'react';
import { Avatar } from '../ui/Avatar.js';
import { useAttached } from '../ui/useAttached.js';
import css from './Tile.module.css';

export interface TileProps {
  participant: ParticipantView;
  source: 'camera' | 'screen';
  style?: CSSProperties;
}

export function Tile({ participant, source, style }: TileProps): ReactElement {
  const video = participant.publications.find((p) => p.source === source);
  const microphone = participant.publications.find((p) => p.source === 'microphone');
  const muted = source === 'camera' && (!microphone || microphone.muted);
  const speaking = source === 'camera' && participant.isSpeaking && !muted;
  const showing = video !== undefined && !video.muted && video.media !== undefined;
  const label = participant.isLocal ? 'You' : participant.name;
  return (
    <article
      className={[css['tile'], css[source], speaking ? css['speaking'] : ''].join(' ')}
      style={style}
      aria-label={source === 'screen' ? `Screen of ${participant.name}` : participant.name}
      data-testid="tile"
      data-identity={participant.identity}
      data-name={participant.name}
      data-source={source}
      data-local={participant.isLocal}
      data-speaking={speaking}
    >
      {showing ? (
        <Picture publication={video} mirrored={participant.isLocal && source === 'camera'} />
      ) : (
        <div className={css['empty']}>
          {source === 'camera' ? <Avatar name={participant.name} identity={participant.identity} /> : <p>The screen is on its way…</p>}
        </div>
      )}
      <div className={css['label']}>
        {muted && (
          <span className={css['muted']} data-testid="tile-muted">
            <MicOff aria-hidden="true" />
            <span className="hidden-text">{participant.name} is muted: </span>
          </span>
        )}
        {source === 'screen' && <MonitorUp aria-hidden="true" />}
        <span className={css['name']}>
          {source === 'screen' ? (participant.isLocal ? 'Your screen' : `${participant.name}’s screen`) : label}
        </span>
      </div>
    </article>
  );
}

const Picture = memo(
  function Picture({ publication, mirrored }: { publication: PublicationView; mirrored: boolean }): ReactElement {
    const ref = useAttached(publication.track, publication.media);
    return <video ref={ref} className={mirrored ? css['mirrored'] : undefined} data-testid="tile-video" autoPlay playsInline muted />;
  },
  (a, b) => a.mirrored === b.mirrored && a.publication.track === b.publication.track && a.publication.media === b.publication.media,
);
