package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	mysql "github.com/go-sql-driver/mysql"
)

// Numbers of MySQL's and MariaDB's errors that are met here.
const (
	tooManyConnections     = 1040
	serverShutdown         = 1053
	duplicateEntry         = 1062
	noSuchTable            = 1146
	lockWaitTimeout        = 1205
	deadlock               = 1213
	tooManyUserConnections = 1203
	illegalMixOfCollations = 1267
	incorrectString        = 1366
	impossibleConversion   = 3988
)

// attempts and firstPause: trouble that passes by itself is usually over within a
// quarter of a second. What lasts longer is left to the queue, which holds no
// worker slot while it waits.
const (
	attempts   = 3
	firstPause = 50 * time.Millisecond
)

// retry repeats a call that may be repeated while its trouble is of the passing kind:
//
//	deadlock, lock wait time-out       the statement was rolled back: again
//	too many connections, shutting down nothing was done: again
//	read-only (1290, 1792, 1836)       the driver drops the connection: again, elsewhere
//	connection cut, refused            it may have been done: again, as the call looks first
//	anything else, or the context ends returned at once
func retry[T any](ctx context.Context, call func() (T, error)) (T, error) {
	pause := firstPause
	for n := 1; ; n++ {
		result, err := call()
		if n == attempts || !passing(err) || ctx.Err() != nil {
			return result, explain(err)
		}
		// Half of the pause is random, so that those who collided part.
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return result, explain(err)
		case <-timer.C:
		}
		pause *= 2
	}
}

// passing says whether trouble may be over in a moment.
func passing(err error) bool {
	switch number(err) {
	case deadlock, lockWaitTimeout, tooManyConnections, tooManyUserConnections, serverShutdown:
		return true
	}
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, io.EOF) || errors.As(err, &network)
}

// explain puts into words what the driver merely calls a bad connection.
func explain(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("the database is read-only or hung up: %w", err)
	}
	return err
}

// number is the server's error number, 0 for any other error.
func number(err error) uint16 {
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		return refused.Number
	}
	return 0
}

// isUnstorable says whether the server refuses a text because its characters are
// none of the column's charset. It does so on writing, and on some versions already
// when a column is compared with such a text.
func isUnstorable(err error) bool {
	switch number(err) {
	case incorrectString, illegalMixOfCollations, impossibleConversion:
		return true
	}
	return false
}
