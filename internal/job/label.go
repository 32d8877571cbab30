package job

import "encoding/json"

// labels reads a payload of each job for its label; a job that is missing here is shown
// without one.
var labels = map[string]func(payload []byte) (string, error){
	SignupEmail{}.Spec().Name:         label[SignupEmail],
	SignupSMS{}.Spec().Name:           label[SignupSMS],
	HelpSMS{}.Spec().Name:             label[HelpSMS],
	SponsorBatch{}.Spec().Name:        label[SponsorBatch],
	SponsorInvite{}.Spec().Name:       label[SponsorInvite],
	SponsorReceipt{}.Spec().Name:      label[SponsorReceipt],
	PublishStatistics{}.Spec().Name:   label[PublishStatistics],
	DeleteInactiveUsers{}.Spec().Name: label[DeleteInactiveUsers],
	WarnInactiveUsers{}.Spec().Name:   label[WarnInactiveUsers],
	ExpiryWarning{}.Spec().Name:       label[ExpiryWarning],
	SendSurveys{}.Spec().Name:         label[SendSurveys],
	SurveyInvitation{}.Spec().Name:    label[SurveyInvitation],
	SendFollowups{}.Spec().Name:       label[SendFollowups],
	FollowupMessage{}.Spec().Name:     label[FollowupMessage],
	CopyNotifications{}.Spec().Name:   label[CopyNotifications],
	BackupTemplates{}.Spec().Name:     label[BackupTemplates],
	RecoverTexts{}.Spec().Name:        label[RecoverTexts],
	RecoverMail{}.Spec().Name:         label[RecoverMail],
	RecordDelivery{}.Spec().Name:      label[RecordDelivery],
}

func label[J Job](payload []byte) (string, error) {
	var j J
	if err := json.Unmarshal(payload, &j); err != nil {
		return "", err
	}
	return j.Label(), nil
}

// LabelOf is the label of the job with that name and payload. What this release cannot
// read is not shown at all, since it may hold anything.
func LabelOf(name string, payload []byte) string {
	read, known := labels[name]
	if !known {
		return "(a job that this release does not know)"
	}
	text, err := read(payload)
	if err != nil {
		return "(a payload that this release cannot read)"
	}
	return text
}
