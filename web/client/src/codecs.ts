// Which codec video is sent with.

/** What browsers send and the server forwards. */
export type VideoCodec = 'vp8' | 'vp9' | 'av1' | 'h264';

const all: readonly VideoCodec[] = ['vp8', 'vp9', 'av1', 'h264'];

/** Those that this browser can send, for a person to choose from. */
export function videoCodecs(): VideoCodec[] {
  const sent = capabilities('RTCRtpSender');
  return all.filter((codec) => sent.some((c) => isOf(c, codec)));
}

/** Puts a codec before the others. Without it in this browser, their order stays: some picture is better than none. */
export function prefer(transceiver: RTCRtpTransceiver, codec: VideoCodec): void {
  if (!videoCodecs().includes(codec)) return;
  // What can be received is the list that preferences are taken from, also for a track that is only sent (WebRTC §5.4).
  const list = capabilities('RTCRtpReceiver');
  // Firefox has it since 128, whatever the types say.
  const { setCodecPreferences } = transceiver as Partial<RTCRtpTransceiver>;
  setCodecPreferences?.call(transceiver, [...list.filter((c) => isOf(c, codec)), ...list.filter((c) => !isOf(c, codec))]);
}

function capabilities(of: 'RTCRtpSender' | 'RTCRtpReceiver'): RTCRtpCodec[] {
  return globalThis[of].getCapabilities('video')?.codecs ?? [];
}

const isOf = ({ mimeType }: RTCRtpCodec, codec: VideoCodec): boolean => mimeType.toLowerCase() === `video/${codec}`;
