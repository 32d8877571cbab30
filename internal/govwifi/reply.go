package govwifi

import (
	"regexp"
	"strings"
	"time"
	"unicode"
)

// Topic is what a text asks for: TopicCredentials, or which help.
type Topic string

// The topics; their names are part of the help-sms job's payload.
const (
	TopicCredentials Topic = "credentials"
	TopicMenu        Topic = "menu"
	TopicRecap       Topic = "recap"
	TopicOther       Topic = "other"
	TopicAndroid     Topic = "android"
	TopicIPhone      Topic = "iphone"
	TopicMac         Topic = "mac"
	TopicWindows     Topic = "windows"
	TopicBlackBerry  Topic = "blackberry"
	TopicChromebook  Topic = "chromebook"
)

// devices in the order in which they are looked for; the first that is named wins.
var devices = []struct {
	topic Topic
	names []string
}{
	{TopicOther, []string{"other"}},
	{TopicAndroid, []string{"android", "samsung", "galaxy", "htc", "huawei", "sony", "motorola", "lg", "nexus", "pixel", "google", "oneplus", "xiaomi"}},
	{TopicIPhone, []string{"ios", "ipad", "iphone", "ipod"}},
	{TopicMac, []string{"mac", "osx", "apple"}},
	{TopicWindows, []string{"win"}},
	{TopicBlackBerry, []string{"blackberry"}},
	{TopicChromebook, []string{"chromebook", "chrome book"}},
}

// menuChoices are the answers to the help menu's numbered list.
var menuChoices = map[string]Topic{
	"0": TopicOther, "1": TopicAndroid, "2": TopicIPhone, "3": TopicMac,
	"4": TopicWindows, "5": TopicBlackBerry, "6": TopicChromebook,
}

// standsAlone finds a digit between 0 and 6 that is no part of a longer word.
var standsAlone = regexp.MustCompile(`(?:^|[^\pL\pN_])([0-6])(?:$|[^\pL\pN_])`)

// TopicOf decides which reply a text gets; letter case is ignored and the first
// rule that fits wins (docs/rules.md, Which reply a text gets).
func TopicOf(text string) Topic {
	lower := strings.ToLower(text)
	switch {
	case strings.TrimFunc(lower, unicode.IsSpace) == "",
		strings.Contains(strings.ReplaceAll(lower, "google", " "), "go"):
		return TopicCredentials
	case strings.Contains(lower, "help"):
		return TopicMenu
	}
	for _, device := range devices {
		for _, name := range device.names {
			if strings.Contains(lower, name) {
				return device.topic
			}
		}
	}
	if digit := standsAlone.FindStringSubmatch(lower); digit != nil {
		return menuChoices[digit[1]]
	}
	return TopicRecap
}

// Template is the text that answers the topic; a topic of a newer release that
// this one does not know gets the recap.
func (t Topic) Template() Template {
	switch t {
	case TopicCredentials:
		return CredentialsSMS
	case TopicMenu:
		return HelpMenuSMS
	case TopicOther:
		return DeviceHelpOtherSMS
	case TopicAndroid:
		return DeviceHelpAndroidSMS
	case TopicIPhone:
		return DeviceHelpIPhoneSMS
	case TopicMac:
		return DeviceHelpMacSMS
	case TopicWindows:
		return DeviceHelpWindowsSMS
	case TopicBlackBerry:
		return DeviceHelpBlackBerrySMS
	case TopicChromebook:
		return DeviceHelpChromebookSMS
	case TopicRecap:
		return RecapSMS
	}
	return RecapSMS
}

// IncomingText is a text message as the repeat guard sees it.
type IncomingText struct {
	// ID is Notify's id, so that a redelivered text counts once.
	ID   string
	From Contact
	Text string
	// At is when the text was received, not when it is worked on: after an
	// outage a whole evening's texts are worked on at once.
	At time.Time
}
