package faultrun

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// restartDelay is how long a platform takes to start again what has ended.
const restartDelay = 500 * time.Millisecond

// process is a program that is started again whenever it ends, as a platform does it,
// except while it is held down.
type process struct {
	name string
	argv []string
	env  []string
	log  *os.File
	gone chan struct{}

	mu      sync.Mutex
	changed *sync.Cond
	// cmd is what runs at present; nil between two lives.
	cmd *exec.Cmd
	// held says that it is not to be started again; over, that the run has ended.
	held, over bool
	// starts counts its lives.
	starts int
}

// leash kills the program when the test process is gone and can no longer do so
// itself: its end of the pipe closes. The program takes the shell's place, so that
// signals reach it directly.
const leash = `exec 3<&0; ( read -r _ <&3; kill -9 $$ ) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null`

// launch starts a program and keeps it running until the test ends. What it says is
// appended to a file of its name in logs.
func launch(t testing.TB, logs, name string, env []string, argv ...string) *process {
	t.Helper()
	log, err := os.OpenFile(logs+"/"+name+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{name: name, argv: argv, env: env, log: log, gone: make(chan struct{})}
	p.changed = sync.NewCond(&p.mu)
	go p.keep()
	t.Cleanup(p.end)
	return p
}

// keep starts the program again and again.
func (p *process) keep() {
	defer close(p.gone)
	for p.next() {
		cmd := p.running()
		if cmd != nil {
			_ = cmd.Wait() // killed, or its own log says why
		}
		p.mu.Lock()
		p.cmd = nil
		p.changed.Broadcast()
		p.mu.Unlock()
		time.Sleep(restartDelay)
	}
}

// next waits until the program may run and starts it; false when the run is over.
func (p *process) next() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.held && !p.over {
		p.changed.Wait()
	}
	if p.over {
		return false
	}
	cmd := exec.Command("sh", append([]string{"-c", leash, p.name}, p.argv...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the test, and the leash does the rest
	if _, err := cmd.StdinPipe(); err != nil {
		return true
	}
	fmt.Fprintf(p.log, "--- start %s at %s\n", p.name, time.Now().UTC().Format(clockFormat))
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(p.log, "---", err)
		return true
	}
	p.cmd = cmd
	p.starts++
	return true
}

func (p *process) running() *exec.Cmd {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd
}

// pid is 0 between two lives.
func (p *process) pid() int {
	if cmd := p.running(); cmd != nil {
		return cmd.Process.Pid
	}
	return 0
}

// kill ends the program as a crash does and holds it down until release.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = true
	for p.cmd != nil {
		_ = p.cmd.Process.Kill()
		p.changed.Wait()
	}
}

// release lets the program be started again.
func (p *process) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
	p.changed.Broadcast()
}

// signal sends a signal, if the program runs.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

func (p *process) end() {
	p.mu.Lock()
	p.over = true
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
	}
	p.changed.Broadcast()
	p.mu.Unlock()
	<-p.gone
	_ = p.log.Close()
}
