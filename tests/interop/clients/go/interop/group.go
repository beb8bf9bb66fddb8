package interop

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Member is one member of the group; each client's own type does the work behind it.
type Member struct {
	Name     string
	Group    string
	Protocol string
	Pace     *Pace
	Assigned atomic.Int64
	Stopping chan struct{} // closed when the member shall commit, leave and return
	problem  atomic.Pointer[error]
	done     chan error
}

// Work is one member's life: it returns when Stopping is closed and the member has left.
type Work func(m *Member) error

// Stopped says whether the member shall leave.
func (m *Member) Stopped() bool {
	select {
	case <-m.Stopping:
		return true
	default:
		return false
	}
}

func start(name, group, protocol string, pace *Pace, work Work) *Member {
	m := &Member{Name: name, Group: group, Protocol: protocol, Pace: pace, Stopping: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		_, err := guarded(func() (string, error) { return "", work(m) })
		m.Assigned.Store(0)
		pace.left(name)
		if err != nil {
			m.problem.Store(&err)
		}
		m.done <- err
	}()
	return m
}

func (m *Member) stop() error {
	close(m.Stopping)
	select {
	case err := <-m.done:
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		return nil
	case <-time.After(90 * time.Second):
		return fmt.Errorf("%s did not stop", m.Name)
	}
}

type group struct {
	pace    *Pace
	members map[string]*Member
	start   func(name string)
}

// shared waits until the named members hold all partitions between them.
func (g *group) shared(names ...string) (string, error) {
	var text string
	err := Await("partitions shared by "+strings.Join(names, ", "), func() bool {
		g.sound()
		total, counts := int64(0), []string{}
		for _, name := range names {
			count := g.members[name].Assigned.Load()
			if count == 0 {
				return false
			}
			total += count
			counts = append(counts, fmt.Sprint(count))
		}
		text = strings.Join(counts, "+")
		return total == int64(All)
	})
	return text, err
}

func (g *group) readUpTo(of float64) error {
	g.pace.upTo(of)
	return g.wait(of)
}

// sound panics (a failed step) when a member has failed.
func (g *group) sound() {
	for name, member := range g.members {
		if problem := member.problem.Load(); problem != nil {
			panic(fmt.Errorf("%s: %w", name, *problem))
		}
	}
}

// awaitReads waits until each of them has read something: fast ones could leave nothing for the others.
func (g *group) awaitReads(names ...string) error {
	return Await("reads of "+strings.Join(names, ", "), func() bool {
		g.sound()
		return !slices.ContainsFunc(names, func(name string) bool { return !g.pace.hasRead(name) })
	})
}

func (g *group) wait(of float64) error {
	return Await(fmt.Sprintf("%.0f %% are read", of*100), func() bool {
		g.sound()
		return g.pace.reached(of)
	})
}

// RunGroup: two members, a third joins, one leaves, all stop, a new one resumes.
func RunGroup(work Work, protocol, suffix string, describe func(group string) (string, error)) {
	pace := newPace(suffix)
	defer pace.close()
	g := &group{pace: pace, members: map[string]*Member{}}
	g.start = func(name string) { g.members[name] = start(name, Group(protocol), protocol, pace, work) }
	phases := []struct {
		name string
		work func() (string, error)
	}{
		{"group", func() (string, error) {
			pace.upTo(0.20)
			g.start("a")
			g.start("b")
			text, err := g.shared("a", "b")
			if err != nil {
				return "", err
			}
			if err = g.awaitReads("a", "b"); err != nil {
				return "", err
			}
			return text, g.readUpTo(0.20)
		}},
		{"join", func() (string, error) {
			g.start("c")
			text, err := g.shared("a", "b", "c")
			if err != nil {
				return "", err
			}
			if err = g.awaitReads("c"); err != nil {
				return "", err
			}
			return text, g.readUpTo(0.45)
		}},
		{"leave", func() (string, error) {
			if err := g.members["b"].stop(); err != nil {
				return "", err
			}
			text, err := g.shared("a", "c")
			if err != nil {
				return "", err
			}
			if err = g.readUpTo(0.70); err != nil {
				return "", err
			}
			if err = g.members["a"].stop(); err != nil {
				return "", err
			}
			return text, g.members["c"].stop()
		}},
		{"resume", func() (string, error) {
			pace.upTo(2)
			g.start("d")
			if err := g.wait(1); err != nil {
				return "", err
			}
			text, err := describe(Group(protocol))
			if err != nil {
				return "", err
			}
			return text, g.members["d"].stop()
		}},
	}
	for _, phase := range phases {
		if !Step(phase.name+suffix, phase.work) {
			return
		}
	}
}
