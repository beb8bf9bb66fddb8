// Package interop is what all Go client programs have in common: names, records, step lines, event
// file, pace and the group's phases. The driver sets the environment; step lines go to standard
// output, one JSON object each.
package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	Broker     = os.Getenv("INTEROP_BROKER")
	Prefix     = os.Getenv("INTEROP_PREFIX")
	Records    = number("INTEROP_RECORDS")
	Partitions = number("INTEROP_PARTITIONS")
	Kip848     = os.Getenv("INTEROP_KIP848") == "1"
	Codecs     = []string{"none", "gzip", "snappy", "lz4", "zstd"}
	All        = Partitions * len(Codecs)
	filler     = strings.Repeat("tailwater ", 20)
)

func number(name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		panic(name + " is not set")
	}
	return n
}

// Background has no deadline: the driver ends a program that takes too long.
func Background() context.Context { return context.Background() }

func Topic(codec string) string { return Prefix + "-" + codec }

func Topics() []string {
	var names []string
	for _, codec := range Codecs {
		names = append(names, Topic(codec))
	}
	return names
}

func Key(i int) string { return "k" + strconv.Itoa(i) }

func Value(codec string, i int) string {
	return codec + ":" + strconv.Itoa(i) + ":" + filler[:(i*7)%200]
}

func Group(protocol string) string {
	if protocol == "classic" {
		return Prefix + "-group"
	}
	return Prefix + "-group-" + protocol
}

// Step runs one step and says how it went; a failed step does not keep later ones from being tried.
func Step(name string, work func() (string, error)) (ok bool) {
	start := time.Now()
	note, err := guarded(work)
	if err != nil {
		note = err.Error()
	}
	line, _ := json.Marshal(map[string]any{
		"step": name, "ok": err == nil, "ms": time.Since(start).Milliseconds(), "note": note})
	fmt.Println(string(line))
	return err == nil
}

func guarded(work func() (string, error)) (note string, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("panic: %v", caught)
			debug.PrintStack()
		}
	}()
	return work()
}

// Settle waits as long as the driver says: real Kafka answers a create before all
// partitions have their leader, and a change before every broker has it.
func Settle() {
	seconds, _ := strconv.ParseFloat(os.Getenv("INTEROP_SETTLE"), 64)
	time.Sleep(time.Duration(seconds * float64(time.Second)))
}

func Await(what string, truth func() bool) error {
	for limit := time.Now().Add(2 * time.Minute); !truth(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			return fmt.Errorf("120 s passed before: %s", what)
		}
	}
	return nil
}

// Pace holds the group's progress and its speed. Members run freely up to the ceiling, then slowly, so that a
// join or leave falls in the middle of the work and polling never stops.
type Pace struct {
	lock     sync.Mutex
	file     *os.File
	out      *bufio.Writer
	next     map[string]int64
	readers  map[string]bool
	progress atomic.Int64
	ceiling  atomic.Int64
}

func newPace(suffix string) *Pace {
	file, err := os.Create(os.Getenv("INTEROP_EVENTS") + suffix)
	if err != nil {
		panic(err)
	}
	return &Pace{file: file, out: bufio.NewWriter(file), next: map[string]int64{}, readers: map[string]bool{}}
}

func share(of float64) int64            { return int64(of * float64(Records*len(Codecs))) }
func (p *Pace) upTo(of float64)         { p.ceiling.Store(share(of)) }
func (p *Pace) reached(of float64) bool { return p.progress.Load() >= share(of) }

func (p *Pace) event(fields ...any) {
	for i, field := range fields {
		if i > 0 {
			p.out.WriteByte('\t')
		}
		fmt.Fprint(p.out, field)
	}
	p.out.WriteByte('\n')
}

// Read notes a record and waits when the group has gone far enough.
func (p *Pace) Read(member, topic string, partition int32, offset int64, key, value []byte) {
	p.lock.Lock()
	p.event("R", member, topic, partition, offset, string(key), string(value))
	p.readers[member] = true
	place := fmt.Sprint(topic, "-", partition)
	if before := p.next[place]; offset >= before {
		p.next[place] = offset + 1
		p.progress.Add(offset + 1 - before)
	}
	p.lock.Unlock()
	if p.progress.Load() >= p.ceiling.Load() {
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *Pace) hasRead(member string) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.readers[member]
}

// Committed notes a synchronous commit that has succeeded.
func (p *Pace) Committed(member, topic string, partition int32, offset int64) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.event("C", member, topic, partition, offset)
}

func (p *Pace) left(member string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.event("L", member)
}

func (p *Pace) close() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.out.Flush()
	p.file.Close()
}
