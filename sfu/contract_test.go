package sfu_test

import (
	"strings"
	"testing"

	"github.com/turnout-rtc/turnout/sfu"
)

// TestTransport runs what every transport must do on all of them.
func TestTransport(t *testing.T) {
	for _, ice := range []string{sfu.ICELite, sfu.ICEFull} {
		t.Run(ice, func(t *testing.T) {
			for name, test := range contract() {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t)
				})
			}
		})
	}
}

// iceOf returns what the running test is about.
func iceOf(t *testing.T) string {
	for _, ice := range []string{sfu.ICELite, sfu.ICEFull} {
		if strings.HasPrefix(t.Name(), "TestTransport/"+ice+"/") {
			return ice
		}
	}
	return ""
}

func contract() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"ComingAndGoingLeavesNothing":                   testComingAndGoingLeavesNothing,
		"FloodOfNACKsIsBounded":                         testFloodOfNACKsIsBounded,
		"GarbageIsCarriedOrDroppedAndNothingElse":       testGarbageIsCarriedOrDroppedAndNothingElse,
		"EveryoneIsToldWhatArrives":                     testEveryoneIsToldWhatArrives,
		"LostPacketsComeBackByRTX":                      testLostPacketsComeBackByRTX,
		"PacketsLostOnTheWayInComeBack":                 testPacketsLostOnTheWayInComeBack,
		"SlotsGrowWhenTheyRunOut":                       testSlotsGrowWhenTheyRunOut,
		"SlotShowsAnotherPublicationWithoutABreak":      testSlotShowsAnotherPublicationWithoutABreak,
		"NothingIsSentBeforeReady":                      testNothingIsSentBeforeReady,
		"PausedPublicationComesBackWithAKeyFrame":       testPausedPublicationComesBackWithAKeyFrame,
		"AnnouncedPausedStartsPaused":                   testAnnouncedPausedStartsPaused,
		"ClosedPublicationFreesItsSlot":                 testClosedPublicationFreesItsSlot,
		"MidCanCarryAnotherPublicationAfterTheFirst":    testMidCanCarryAnotherPublicationAfterTheFirst,
		"TransportThatClosesTakesItsPublicationsAlong":  testTransportThatClosesTakesItsPublicationsAlong,
		"SubscriberWithoutTheCodecGetsNothing":          testSubscriberWithoutTheCodecGetsNothing,
		"KeyFrameIsAskedForUntilItComes":                testKeyFrameIsAskedForUntilItComes,
		"DuplicatesOfAPublisherAreDropped":              testDuplicatesOfAPublisherAreDropped,
		"SimulcastForwardsTheHighestLayerThatArrives":   testSimulcastForwardsTheHighestLayerThatArrives,
		"RepeatsBeforeTheFirstPacketDoNotEndTheTrack":   testRepeatsBeforeTheFirstPacketDoNotEndTheTrack,
		"SameOfferGetsTheSameAnswer":                    testSameOfferGetsTheSameAnswer,
		"BadOffersAreRefusedWithoutEffect":              testBadOffersAreRefusedWithoutEffect,
		"FirstOfferMayFailAndBeMended":                  testFirstOfferMayFailAndBeMended,
		"MutatedOffersNeverPanic":                       testMutatedOffersNeverPanic,
		"ICERestartKeepsMediaFlowing":                   testICERestartKeepsMediaFlowing,
		"StoppedSlotIsGoneAndTheOthersStay":             testStoppedSlotIsGoneAndTheOthersStay,
		"UselessCandidatesAreCounted":                   testUselessCandidatesAreCounted,
		"DataChannelCarriesMessagesBothWays":            testDataChannelCarriesMessagesBothWays,
		"DataChannelWithoutAHandlerDoesNotHoldUpTheEnd": testDataChannelWithoutAHandlerDoesNotHoldUpTheEnd,
		"TwoParticipantsExchangeMedia":                  testTwoParticipantsExchangeMedia,
		"ClientConnectsOverTCP":                         testClientConnectsOverTCP,
		"ClosedEngineRefusesTransports":                 testClosedEngineRefusesTransports,
		"ReportsSayWhoseStreamAndWhen":                  testReportsSayWhoseStreamAndWhen,
		"SoundAndPictureCanBePlayedInSync":              testSoundAndPictureCanBePlayedInSync,
		"TransportWideNumbersRiseByOne":                 testTransportWideNumbersRiseByOne,
		"WayToASubscriberIsMeasured":                    testWayToASubscriberIsMeasured,
		"ReceiversTimeIsAnswered":                       testReceiversTimeIsAnswered,
		"PublisherThatFallsSilentGetsItsLastReport":     testPublisherThatFallsSilentGetsItsLastReport,
		"ExtensionsTravelWithTheirFrames":               testExtensionsTravelWithTheirFrames,
		"StreamThatWasInactiveIsReceivedAgain":          testStreamThatWasInactiveIsReceivedAgain,
		"H265ReachesThoseWhoHaveIt":                     testH265ReachesThoseWhoHaveIt,
		"PacketsThatAreLostForGoodCostAKeyFrame":        testPacketsThatAreLostForGoodCostAKeyFrame,
		"RedundantSoundReachesEveryoneAsTheyHaveIt":     testRedundantSoundReachesEveryoneAsTheyHaveIt,
		"RTCPGarbageIsDropped":                          testRTCPGarbageIsDropped,
	}
}
