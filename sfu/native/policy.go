package native

import "github.com/turnout-rtc/turnout/sfu/lite/answer"

// policy says what is accepted of an offer: what the media plane can forward.
func policy(c Config) answer.Policy {
	p := answer.Policy{
		Audio: []string{"opus", "red"},
		Video: []string{"vp8", "vp9", "av1", "h264", "h265"},
		Extensions: []string{
			answer.ExtMID, answer.ExtRID, answer.ExtRepairedRID, answer.ExtTransportCC, answer.ExtAbsSendTime, answer.ExtAbsCaptureTime,
			answer.ExtPlayoutDelay, answer.ExtAudioLevel, answer.ExtVideoOrientation, answer.ExtDependency,
		},
		Feedback: []string{"nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"},
	}
	if !c.Orientation {
		p.SlotsOnly = []string{answer.ExtVideoOrientation}
	}
	return p
}
