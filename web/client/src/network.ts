// What the browser tells about its network, its devices and the end of the page.

interface Watch {
  /** There is a network again, or another one. */
  changed(): void;
  /** The page is being closed. */
  closing(): void;
  devices(): void;
}

interface NetworkInformation extends EventTarget {
  readonly type?: string;
}

/** Gives the function that stops the watching. */
export function watchNetwork(watch: Watch): () => void {
  const { connection, mediaDevices } = navigator as { connection?: NetworkInformation; mediaDevices?: MediaDevices };
  const stop = new AbortController();
  const { signal } = stop;
  window.addEventListener('online', () => watch.changed(), { signal });
  window.addEventListener('pagehide', () => watch.closing(), { signal });
  mediaDevices?.addEventListener('devicechange', () => watch.devices(), { signal });
  // The event also comes when only the estimate of the speed has changed.
  let type = connection?.type;
  connection?.addEventListener(
    'change',
    () => {
      if (connection.type === type) return;
      type = connection.type;
      watch.changed();
    },
    { signal },
  );
  return () => stop.abort();
}
