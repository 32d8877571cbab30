// Package wifi is the building: an access point that asks a RADIUS server whether
// somebody may join GovWifi. The server reads the table of users that the service
// writes, in the place of GovWifi's FreeRADIUS. It speaks PAP where that speaks PEAP:
// the credentials are judged the same, and no certificates are needed.
package wifi

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
)

// Users is the table of users.
type Users interface {
	// Password is the user's, found whatever the letter case of the username, and
	// false if there is no such user.
	Password(ctx context.Context, username string) (password string, known bool, err error)
	// LoggedIn notes the day of a login.
	LoggedIn(ctx context.Context, username string) error
}

// Server answers access requests.
type Server struct {
	// Secret is shared with the access points.
	Secret string

	conn  net.PacketConn
	users Users
	log   *slog.Logger
}

// Listen opens a server on a UDP address, with a secret of its own.
func Listen(addr string, users Users, log *slog.Logger) (*Server, error) {
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for RADIUS: %w", err)
	}
	secret := make([]byte, 8)
	_, _ = rand.Read(secret) // never fails
	return &Server{Secret: hex.EncodeToString(secret), conn: conn, users: users, log: log}, nil
}

// Addr is where access points find the server.
func (s *Server) Addr() string { return s.conn.LocalAddr().String() }

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context) error {
	server := radius.PacketServer{
		SecretSource: radius.StaticSecretSource([]byte(s.Secret)),
		Handler:      radius.HandlerFunc(s.answer),
		ErrorLog:     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() {
		_ = server.Shutdown(context.WithoutCancel(ctx))
		_ = s.conn.Close()
	})()
	err := server.Serve(s.conn)
	if errors.Is(err, radius.ErrServerShutdown) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve RADIUS: %w", err)
}

func (s *Server) answer(w radius.ResponseWriter, r *radius.Request) {
	code := radius.CodeAccessReject
	allowed, err := s.allows(r.Context(), rfc2865.UserName_GetString(r.Packet), rfc2865.UserPassword_GetString(r.Packet))
	switch {
	case err != nil:
		s.log.Error("a login cannot be judged, and gets no answer", "err", err)
		return
	case allowed:
		code = radius.CodeAccessAccept
	}
	if err := w.Write(r.Response(code)); err != nil {
		s.log.Warn("an access point could not be answered", "err", err)
	}
}

func (s *Server) allows(ctx context.Context, username, password string) (bool, error) {
	want, known, err := s.users.Password(ctx, username)
	if err != nil || !known || subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 0 {
		return false, err
	}
	return true, s.users.LoggedIn(ctx, username)
}

// Join is what an access point does when somebody enters credentials: it asks the
// server, over the network, and says whether the answer was yes.
func (s *Server) Join(ctx context.Context, username, password string) (bool, error) {
	packet := radius.New(radius.CodeAccessRequest, []byte(s.Secret))
	if err := errors.Join(rfc2865.UserName_SetString(packet, username), rfc2865.UserPassword_SetString(packet, password)); err != nil {
		return false, nil // longer than RADIUS can say, so nobody's credentials
	}
	response, err := radius.Exchange(ctx, packet, s.Addr())
	if err != nil {
		return false, fmt.Errorf("ask the RADIUS server: %w", err)
	}
	return response.Code == radius.CodeAccessAccept, nil
}
