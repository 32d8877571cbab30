package post

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
)

// read is what the mailbox shows of a mail that was sent: its subject, and the first plain
// text in it. The service reads mails with much more care (internal/sponsormail); this is
// for the sender, who knows what they wrote.
func read(raw []byte) (subject, text string) {
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return "", ""
	}
	subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil {
		subject = message.Header.Get("Subject")
	}
	return subject, strings.TrimSpace(plain(textproto.MIMEHeader(message.Header), message.Body))
}

// plain is the first plain text of a part, empty if there is none that can be read.
func plain(header textproto.MIMEHeader, body io.Reader) string {
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "text/plain" // as a mail without the header is
	}
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, parameters["boundary"])
		for part, err := parts.NextRawPart(); err == nil; part, err = parts.NextRawPart() {
			if text := plain(part.Header, part); text != "" {
				return text
			}
		}
		return ""
	}
	if kind != "text/plain" {
		return ""
	}
	text, _ := io.ReadAll(body) // what can be read of it
	return string(text)
}
