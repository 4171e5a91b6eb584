"""GStreamer's webrtcbin as a client of WHIP: publish COLOUR HZ vp8|h264."""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

import door  # noqa: E402

PIPELINE = """
webrtcbin name=peer bundle-policy=max-bundle
videotestsrc is-live=true pattern={colour} ! video/x-raw,width=320,height=180,framerate=10/1
  ! {video} ! peer.
audiotestsrc is-live=true freq={hz} volume=0.3 ! audioconvert ! audioresample ! opusenc ! rtpopuspay
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! peer.
"""

VIDEO = {
    "vp8": "vp8enc deadline=1 cpu-used=8 target-bitrate=200000 keyframe-max-dist=30 ! rtpvp8pay picture-id-mode=2"
    " ! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate=200 key-int-max=30 ! video/x-h264,profile=constrained-baseline"
    " ! rtph264pay config-interval=-1 aggregate-mode=zero-latency ! application/x-rtp,media=video,encoding-name=H264,payload=102",
}


class Publisher:
    def __init__(self, colour, hz, codec):
        self.session, self.loop, self.posted = door.Session(), GLib.MainLoop(), False
        self.pipeline = Gst.parse_launch(PIPELINE.format(colour=colour, hz=hz, video=VIDEO[codec]))
        self.peer = self.pipeline.get_by_name("peer")
        for i in range(2):
            self.peer.emit("get-transceiver", i).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        self.peer.connect("on-negotiation-needed", self.create_offer)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        self.peer.connect("notify::connection-state", self.changed)

    def create_offer(self, peer):
        peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise, *_):
        self.reply = promise.get_reply()  # owns what it holds
        self.peer.emit("set-local-description", self.reply.get_value("offer"), Gst.Promise.new())

    def gathered(self, peer, _):
        state = peer.get_property("ice-gathering-state")
        if state == GstWebRTC.WebRTCICEGatheringState.COMPLETE and not self.posted:
            self.posted = True
            GLib.idle_add(self.post)

    def post(self):
        text = self.session.offer(self.peer.get_property("local-description").sdp.as_text())
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())

    def changed(self, peer, _):
        door.say(state=peer.get_property("connection-state").value_nick)

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        told = threading.Thread(target=lambda: (door.until_told(), self.loop.quit()), daemon=True)
        told.start()
        self.loop.run()
        self.session.end()
        self.pipeline.set_state(Gst.State.NULL)


Gst.init(None)
Publisher(*sys.argv[2:]).run()
