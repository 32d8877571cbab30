package govwifi

import (
	"strings"
	"testing"
	"unicode"
)

// docs/rules.md, Which reply a text gets, rule by rule.
func TestTopicOf(t *testing.T) {
	t.Parallel()
	for topic, texts := range map[Topic][]string{
		TopicCredentials: {
			"", " ", "\r\n", "\t\u00a0\u2003\u3000", // 1
			"go", "GO", "Go", " go! ", "Let's go", "gopher", "google go", "gogoogle", "help go", "iphone, go on", "ago", "good", // 2
		},
		TopicMenu:       {"help", "HELP", "Help!", "helpful", "help with my iphone", "help 4"}, // 3
		TopicOther:      {"other", "another", "other android", "iphone or other", "brother"},   // 4, in order
		TopicAndroid:    {"android", "samsung", "galaxy", "htc", "huawei", "sony", "motorola", "lg", "nexus", "pixel", "google", "GOOGLE", "oneplus", "xiaomi", "Samsung S10", "google iphone", "ggoogleo", "algebra"},
		TopicIPhone:     {"ios", "ipad", "iphone", "ipod", "iPhone 12", "ipad not mac", "curios"},
		TopicMac:        {"mac", "osx", "apple", "MacBook Air M2", "macwin", "apple 4"},
		TopicWindows:    {"win", "Windows 11", "Windows 3", "winter", "darwin"},
		TopicBlackBerry: {"blackberry", "BlackBerry 9900", "blackberry 1"},
		TopicChromebook: {"chromebook", "Chrome Book", "chromebook 2"},
		TopicRecap:      {"hello", "wifi", "Thank you", "\u200b", "7", "8", "9", "10", "42", "06", "1st", "a1", "1a", "_1", "1_", "é1", "١", "½", "1234567", "chrome  book"},
	} {
		for _, text := range texts {
			if got := TopicOf(text); got != topic {
				t.Errorf("%q gets %q, want %q", text, got, topic)
			}
		}
	}
	// 5: a digit standing alone.
	for digit, topic := range map[string]Topic{
		"0": TopicOther, "1": TopicAndroid, "2": TopicIPhone, "3": TopicMac, "4": TopicWindows, "5": TopicBlackBerry, "6": TopicChromebook,
	} {
		for _, text := range []string{digit, " " + digit + "\n", digit + ".", "(" + digit + ")", "number " + digit + " please", "11 " + digit, "9 " + digit + " 0", digit + "\ufe0f\u20e3"} {
			if got := TopicOf(text); got != topic {
				t.Errorf("%q gets %q, want %q", text, got, topic)
			}
		}
	}
}

// Every topic has its own text, and no topic is without one.
func TestTopicTemplates(t *testing.T) {
	t.Parallel()
	for topic, want := range map[Topic]Template{
		TopicCredentials: "credentials_sms", TopicMenu: "help_menu_sms", TopicRecap: "recap_sms", TopicOther: "device_help_other_sms",
		TopicAndroid: "device_help_android_sms", TopicIPhone: "device_help_iphone_sms", TopicMac: "device_help_mac_sms",
		TopicWindows: "device_help_windows_sms", TopicBlackBerry: "device_help_blackberry_sms", TopicChromebook: "device_help_chromebook_sms",
		"of a newer release": "recap_sms", "": "recap_sms",
	} {
		if got := topic.Template(); got != want {
			t.Errorf("%q is answered with %s, want %s", topic, got, want)
		}
	}
}

func FuzzTopicOf(f *testing.F) {
	for _, seed := range []string{"", "go", "google", "help", "iphone 12", "3", "Chrome Book", "\u200b", "İ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		topic := TopicOf(text)
		if topic.Template() == RecapSMS && topic != TopicRecap {
			t.Errorf("%q gets the unknown topic %q", text, topic)
		}
		blank := strings.TrimFunc(text, unicode.IsSpace) == ""
		if blank && topic != TopicCredentials {
			t.Errorf("%q gets %q", text, topic)
		}
		if again := TopicOf(" " + text + "\n"); again != topic {
			t.Errorf("%q gets %q, with white space around it %q", text, topic, again)
		}
		if !blank && TopicOf(text+" go") != TopicCredentials {
			t.Errorf("%q and go gets no credentials", text)
		}
	})
}
