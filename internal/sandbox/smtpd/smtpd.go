// Package smtpd takes mail from any mail program, in the place of Amazon SES: what it
// accepts is stored and announced as a mail from the internet would be.
package smtpd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/mail"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// Config is what the server takes and to whom it gives it.
type Config struct {
	// Domain is the only one that mail is taken for: it is no relay.
	Domain string
	// Deliver gets each mail as it came, with the addresses of the envelope. Its
	// error has the client keep the mail and try again.
	Deliver func(ctx context.Context, raw []byte, from string, to []string) error
}

// The limits: SES takes 40 MB, and nobody types so slowly.
const (
	maxMail       = 40 << 20
	maxRecipients = 50
	patience      = time.Minute
)

// Serve takes mail on the listener until ctx ends.
func Serve(ctx context.Context, listener net.Listener, c Config) error {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{ctx: ctx, config: c}, nil
	}))
	server.Domain = c.Domain
	server.MaxMessageBytes, server.MaxRecipients = maxMail, maxRecipients
	server.ReadTimeout, server.WriteTimeout = patience, patience
	server.ErrorLog = log.New(io.Discard, "", 0) // a client that hangs up is no fault of ours
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	err := server.Serve(listener)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("take mail: %w", err)
}

// session is one connection.
type session struct {
	ctx    context.Context
	config Config
	from   string
	to     []string
}

// Mail begins a mail.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

// Rcpt takes addresses of the service only.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	address, err := mail.ParseAddress(to)
	if err != nil || !strings.HasSuffix(strings.ToLower(address.Address), "@"+s.config.Domain) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1},
			Message: "the sandbox takes mail for @" + s.config.Domain + " only, such as signup@" + s.config.Domain}
	}
	s.to = append(s.to, address.Address)
	return nil
}

// Data takes the mail.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if message, err := mail.ReadMessage(bytes.NewReader(raw)); err != nil || message.Header.Get("From") == "" {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "a mail needs headers, and a From among them"}
	}
	if err := s.config.Deliver(s.ctx, raw, s.from, s.to); err != nil {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "the service did not take it: please try again"}
	}
	return nil
}

// Reset forgets a mail that was not sent.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout ends the connection, with nothing to free.
func (s *session) Logout() error { return nil }
