"""aiortc as a client of WHIP (publish COLOUR HZ) or WHEP (play). It knows only AES_CM_128_HMAC_SHA1_80."""

import asyncio
import fractions
import math
import sys
import time

import av
import numpy
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

import door

WIDTH, HEIGHT, FPS = 320, 180, 10
RATE, SAMPLES = 48000, 960
COLOURS = {"red": (255, 0, 0), "green": (0, 204, 0), "blue": (0, 0, 255)}


class Plain(VideoStreamTrack):
    """A plain colour with a bar that moves."""

    def __init__(self, colour):
        super().__init__()
        self.colour, self.count, self.start = COLOURS[colour], 0, time.time()

    async def recv(self):
        await asyncio.sleep(max(0, self.start + self.count / FPS - time.time()))
        picture = numpy.full((HEIGHT, WIDTH, 3), self.colour, dtype=numpy.uint8)
        left = self.count * 24 % (WIDTH - 24)
        picture[:16, left : left + 24] = 255
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = self.count * 90000 // FPS, fractions.Fraction(1, 90000)
        self.count += 1
        return frame


class Tone(AudioStreamTrack):
    def __init__(self, hz):
        super().__init__()
        self.hz, self.count, self.start = hz, 0, time.time()

    async def recv(self):
        await asyncio.sleep(max(0, self.start + self.count / RATE - time.time()))
        at = (self.count + numpy.arange(SAMPLES)) / RATE
        sound = (9000 * numpy.sin(2 * math.pi * self.hz * at)).astype(numpy.int16)
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.count, fractions.Fraction(1, RATE)
        self.count += SAMPLES
        return frame


async def watch(track):
    """Tells the colour in the middle of every fifth frame."""
    count = 0
    while True:
        frame = await track.recv()
        count += 1
        if count % 5 == 0:
            picture = frame.to_ndarray(format="rgb24")
            door.say(frames=count, rgb=[int(c) for c in picture[frame.height // 2, frame.width // 2]])


async def listen(track):
    """Tells the frequency of the sound, by counting how often it rises through zero."""
    heard = []
    while True:
        frame = await track.recv()
        left = frame.to_ndarray().reshape(-1)[:: len(frame.layout.channels)].astype(numpy.int32)
        heard.append(left)
        if len(heard) == 25:
            sound = numpy.concatenate(heard)
            rises = int(numpy.sum((sound[:-1] < 0) & (sound[1:] >= 0)))
            door.say(hz=round(rises * frame.sample_rate / len(sound)), level=int(numpy.max(sound)))
            heard = []


async def main():
    session, pc, watching = door.Session(), RTCPeerConnection(), []
    if sys.argv[1] == "publish":
        pc.addTrack(Tone(int(sys.argv[3])))
        pc.addTrack(Plain(sys.argv[2]))
    else:
        for kind in ("audio", "video"):
            pc.addTransceiver(kind, direction="recvonly")

        @pc.on("track")
        def started(track):
            watching.append(asyncio.ensure_future(watch(track) if track.kind == "video" else listen(track)))

    @pc.on("connectionstatechange")
    def changed():
        door.say(state=pc.connectionState)

    await pc.setLocalDescription(await pc.createOffer())
    loop = asyncio.get_event_loop()
    answer = await loop.run_in_executor(None, session.offer, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await loop.run_in_executor(None, door.until_told)
    for task in watching:
        task.cancel()
    await loop.run_in_executor(None, session.end)
    await pc.close()


asyncio.run(main())
