import { createLevelMeter } from '@turnout/client';
import { MicOff } from 'lucide-react';
import { type ReactElement, useEffect, useRef } from 'react';
import css from './LevelBars.module.css';

const bars = 5;
// Speech is about -30 to -12 dBov.
const quietest = -48;
const loudest = -14;

/** Shows that the microphone hears something. It moves without rendering. */
export function LevelBars({ media }: { media: MediaStreamTrack | undefined }): ReactElement {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!media || typeof AudioContext === 'undefined') return undefined;
    const meter = createLevelMeter(media);
    let frame = 0;
    const show = (): void => {
      const db = 20 * Math.log10(meter.level() || 1e-6);
      const share = Math.min(1, Math.max(0, (db - quietest) / (loudest - quietest)));
      element.current?.style.setProperty('--level', share.toFixed(2));
      frame = requestAnimationFrame(show);
    };
    show();
    return () => {
      cancelAnimationFrame(frame);
      meter.stop();
    };
  }, [media]);
  if (!media) return <MicOff aria-label="Microphone off" className={css['off']} />;
  return (
    <div ref={element} className={css['bars']} data-testid="mic-level" role="img" aria-label="Microphone level">
      {Array.from({ length: bars }, (_, i) => (
        <i key={i} style={{ '--from': i / bars } as React.CSSProperties} />
      ))}
    </div>
  );
}
