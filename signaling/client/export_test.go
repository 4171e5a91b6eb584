package client

import "github.com/turnout-rtc/turnout/signaling/protocol"

// Need acts as if the server had asked for an offer.
func Need(r *Room, why protocol.OfferReason) { r.call(func() { r.needOffer(why) }) }
