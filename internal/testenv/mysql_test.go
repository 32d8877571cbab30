package testenv

import (
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func TestMySQLIsOfTheTestAlone(t *testing.T) {
	t.Parallel()
	a, b := MySQL(t), MySQL(t)
	if _, err := a.Open(t).Exec("CREATE TABLE t (id INT); INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	var tables int
	if err := b.Open(t).QueryRow("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ?", b.Name).Scan(&tables); err != nil || tables != 0 {
		t.Errorf("tables of the other database: got %d, %v", tables, err)
	}
	var denied *mysql.MySQLError
	if _, err := b.Open(t).Exec("SELECT * FROM " + a.Name + ".t"); !errors.As(err, &denied) {
		t.Errorf("read of the other database: got %v, want it denied", err)
	}
}

func TestMySQLIsDroppedWithTheTest(t *testing.T) {
	t.Parallel()
	var db MySQLDatabase
	t.Run("inner", func(t *testing.T) { db = MySQL(t) })
	if err := db.Open(t).Ping(); err == nil {
		t.Error("database outlives its test")
	}
}

func TestMySQLServerKeepsWhatItCommitted(t *testing.T) {
	t.Parallel()
	server := NewMySQLServer(t)
	db := server.Open(t)
	if _, err := db.Exec("CREATE TABLE t (id INT); INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	if err := db.Ping(); err == nil {
		t.Error("stopped server answers")
	}
	server.Start()
	var id int
	if err := db.QueryRow("SELECT id FROM t").Scan(&id); err != nil || id != 7 {
		t.Errorf("after restart: got %d, %v", id, err)
	}
}

// A port that another server took is left to it.
func TestMariaDBTellsItsOwnFromAnother(t *testing.T) {
	t.Parallel()
	shared, err := sharedMariaDB()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{port: shared.port, dir: t.TempDir()}
	if err := mariaDBReady(s); !errors.Is(err, errPortTaken) {
		t.Errorf("got %v, want errPortTaken", err)
	}
}
