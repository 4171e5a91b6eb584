// How loud a local track is.

export interface LevelMeter {
  /** Root mean square of the last 20 to 40 ms, 0 to 1. */
  level(): number;
  stop(): void;
}

/** Listens to a local audio track. In a browser without Web Audio, or before it may run, the level is 0. */
export function createLevelMeter(media: MediaStreamTrack): LevelMeter {
  const context = new AudioContext();
  void context.resume();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  const source = context.createMediaStreamSource(new MediaStream([media]));
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    level: () => {
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      return Math.sqrt(sum / samples.length);
    },
    stop: () => {
      source.disconnect();
      void context.close();
    },
  };
}
