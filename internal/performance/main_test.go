package performance_test

import (
	"os"
	"testing"

	"github.com/govwifi/user-signup/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.KeepConnections()
	os.Exit(m.Run())
}
