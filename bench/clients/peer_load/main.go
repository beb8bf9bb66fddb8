// peer_load: what `load` is for brokers that speak Kafka's protocol, for those that do not: bytes that were built once,
// raw sockets, a bounded number of units in flight on each connection, every acknowledgement checked, and at the end the
// broker is asked whether it holds what it acknowledged. The words and the printed line are those of `load`.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Plan has the shape of a scenario of `load`: a unit is a batch of records for one stream.
type Plan struct {
	streams, connections, inFlight, records, recordBytes int
	topic                                                string
	port                                                 int
	held                                                 int64
}

var scenarios = map[string]Plan{
	"a":   {streams: 6, connections: 6, inFlight: 5, records: 256, recordBytes: 1024},
	"a16": {streams: 6, connections: 6, inFlight: 5, records: 16, recordBytes: 1024},
	"b":   {streams: 6, connections: 6, inFlight: 5, records: 1000, recordBytes: 100},
	"c":   {streams: 6, connections: 64, inFlight: 1, records: 1, recordBytes: 100},
	"c5":  {streams: 6, connections: 64, inFlight: 5, records: 1, recordBytes: 100},
}

// Speaker is a system's protocol on one connection.
type Speaker interface {
	// Unit is the bytes of one unit, whole; the number is how many were sent before.
	Unit(number uint64) []byte
	// Hear reads until something was acknowledged, and says how many acknowledgements came.
	Hear() (int, error)
	// PerUnit is how many acknowledgements make a unit.
	PerUnit() int
}

// System makes streams, speakers for them, and looks what a stream holds.
type System interface {
	Make(plan Plan, stream string) error
	Open(plan Plan, stream string) (Speaker, error)
	Holds(plan Plan, stream string) (uint64, error)
}

func (plan Plan) stream(number int) string {
	return fmt.Sprintf("%s-%d", plan.topic, number%plan.streams)
}

func (plan Plan) dial() (net.Conn, *bufio.Reader, error) {
	socket, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", plan.port), 10*time.Second)
	if err != nil {
		return nil, nil, err
	}
	return socket, bufio.NewReaderSize(socket, 1<<16), nil
}

// noise does not compress, and is the same in every run.
func noise(size int, seed int64) []byte {
	data := make([]byte, size)
	rand.New(rand.NewSource(seed)).Read(data)
	return data
}

// clock says which part of a run it is.
type clock struct {
	measuring, over atomic.Bool
}

type outcome struct {
	sent, units uint64
	latencies   []int32 // us
	err         error
}

// lane keeps a connection busy until the time is over, and waits for what is in flight.
func lane(socket net.Conn, speaker Speaker, plan Plan, now *clock) (found outcome) {
	begun := make([]time.Time, 0, plan.inFlight)
	send := func() {
		begun = append(begun, time.Now())
		if _, err := socket.Write(speaker.Unit(found.sent)); err != nil {
			found.err = err
		}
		found.sent++
	}
	for len(begun) < plan.inFlight {
		send()
	}
	for open := 0; len(begun) > 0 && found.err == nil; {
		count, err := speaker.Hear()
		if err != nil {
			found.err = err
			return
		}
		for open += count; open >= speaker.PerUnit() && len(begun) > 0; open -= speaker.PerUnit() {
			if now.measuring.Load() {
				found.units++
				found.latencies = append(found.latencies, int32(time.Since(begun[0]).Microseconds()))
			}
			begun = begun[1:]
			if !now.over.Load() {
				send()
			}
		}
	}
	return
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func quantile(sorted []int32, share float64) int32 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func run(system System, plan Plan, warm, seconds time.Duration) error {
	before := uint64(0)
	for number := 0; number < plan.streams; number++ {
		if err := system.Make(plan, plan.stream(number)); err != nil {
			return err
		}
		held, err := system.Holds(plan, plan.stream(number))
		if err != nil {
			return err
		}
		before += held
	}
	var now clock
	outcomes := make([]outcome, plan.connections)
	var lanes sync.WaitGroup
	for number := range outcomes {
		speaker, err := system.Open(plan, plan.stream(number))
		if err != nil {
			return err
		}
		lanes.Add(1)
		go func() {
			defer lanes.Done()
			outcomes[number] = lane(speaker.(net.Conn), speaker, plan, &now)
		}()
	}
	time.Sleep(warm)
	fmt.Fprintln(os.Stderr, "measuring")
	cpu, begin := cpuSeconds(), time.Now()
	now.measuring.Store(true)
	time.Sleep(seconds)
	now.measuring.Store(false)
	took := time.Since(begin).Seconds()
	cpu = cpuSeconds() - cpu
	fmt.Fprintln(os.Stderr, "measured")
	now.over.Store(true)
	lanes.Wait()

	total := outcome{}
	for _, one := range outcomes {
		if one.err != nil {
			return one.err
		}
		total.sent += one.sent
		total.units += one.units
		total.latencies = append(total.latencies, one.latencies...)
	}
	after := uint64(0)
	for number := 0; number < plan.streams; number++ {
		held, err := system.Holds(plan, plan.stream(number))
		if err != nil {
			return err
		}
		after += held
	}
	if after-before != total.sent*uint64(plan.records) {
		return fmt.Errorf("%d records were acknowledged, %d are there", total.sent*uint64(plan.records), after-before)
	}
	sort.Slice(total.latencies, func(a, b int) bool { return total.latencies[a] < total.latencies[b] })
	records := float64(total.units) * float64(plan.records)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"requests": total.units, "records": records, "seconds": took, "requests_per_s": float64(total.units) / took,
		"records_per_s": records / took, "mb_per_s": records * float64(plan.recordBytes) / 1e6 / took,
		"p50_us": quantile(total.latencies, 0.5), "p99_us": quantile(total.latencies, 0.99),
		"p999_us": quantile(total.latencies, 0.999), "max_us": quantile(total.latencies, 1), "client_cpu_s": cpu})
}

func main() {
	name := flag.String("system", "", "nats, nats-atomic (batches instead of messages) or rabbitmq")
	scenario := flag.String("scenario", "", "a, a16, b, c or c5")
	port := flag.Int("port", 0, "of the broker")
	topic := flag.String("topic", "load", "what its streams are called, with their number behind")
	held := flag.Int64("held", 1<<30, "bytes that a stream may hold")
	seconds := flag.Float64("seconds", 5, "measured")
	warm := flag.Float64("warm", 1, "before it")
	flag.Parse()
	system := map[string]System{"nats": nats{}, "nats-atomic": nats{atomic: true}, "rabbitmq": rabbitmq{}}[*name]
	plan, known := scenarios[*scenario]
	if system == nil || !known || *port == 0 {
		flag.Usage()
		os.Exit(2)
	}
	plan.port, plan.topic, plan.held = *port, *topic, *held
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	span := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	if err := run(system, plan, span(*warm), span(*seconds)); err != nil {
		fmt.Fprintln(os.Stderr, "peer_load:", err)
		os.Exit(1)
	}
}
