package interop

import (
	"fmt"
	"os"
	"time"
)

// The transactional scenario. Its plan is driver/scenario.py's Txn: numbered transactions of records number:i, record i
// in partition i % TxnPartitions.
const (
	TxnPartitions = 3
	TxnBatch      = 40 // records that the transform takes at most at a time

	txnSize, txnEnds, txnLives                                     = 12, 40, 3
	txnFenced, txnFencer, txnOpen, txnAbandoned, txnAfter, txnLast = 40, 41, 42, 43, 44, 45
)

var (
	TxnInput  = Prefix + "-txn-in"
	TxnOutput = Prefix + "-txn-out"
	TxnGroup  = Prefix + "-txn-group"
)

// TxnRecord is a record of the scenario; producers pass over its offset.
type TxnRecord struct {
	Partition int32
	Offset    int64
	Value     string
}

// TxnProducer is a client's transactional producer.
type TxnProducer interface {
	Begin() error
	Send(topic string, records []TxnRecord) error // returns when the records are in the log
	End(commit bool) error
	Close()
}

// TxnClient is what a client brings to the scenario.
type TxnClient struct {
	Create   func(topics ...string) error
	Producer func(id string, timeout time.Duration) (TxnProducer, error)
	Refused  func(err error) bool                   // whether this tells that a producer is fenced, or its transaction over
	Look     func(id, topic string) (string, error) // at an open transaction through the admin client; may be nil
	Ended    func(id string) (bool, error)          // whether it is listed as aborted; as Look
	Life     func(id string, turns *Turns) error    // one consumer of the transform, until turns.Over()
	Read     func(isolation, topic string, take func(TxnRecord) (enough bool)) error
}

// Turns says how the transform goes on: batches are committed up to a goal, then one is aborted and the next
// consumer begins where the committed offsets say.
type Turns struct {
	done, aborted, goal, total int
	last, over                 bool
}

func (t *Turns) Over() bool   { return t.over }
func (t *Turns) Commit() bool { return t.last || t.done < t.goal }

// Ended notes a batch that was ended as Commit() said.
func (t *Turns) Ended(commit bool, records int) {
	if commit {
		t.done += records
	} else {
		t.aborted += records
	}
	t.over = !commit || t.done == t.total
}

// Transformed is what becomes of a record.
func Transformed(r TxnRecord) TxnRecord {
	return TxnRecord{Partition: r.Partition, Value: "out:" + r.Value}
}

type txnRun struct {
	client    TxnClient
	events    *os.File
	x, y      TxnProducer
	committed int // records in the input, not counting what is aborted
}

func id(name string) string { return Prefix + "-" + name }

func recordsOf(number int) (records []TxnRecord) {
	for i := range txnSize {
		records = append(records, TxnRecord{Partition: int32(i % TxnPartitions), Value: fmt.Sprintf("%d:%d", number, i)})
	}
	return records
}

func (t *txnRun) told(fields ...any) {
	for i, field := range fields {
		if i > 0 {
			fmt.Fprint(t.events, "\t")
		}
		fmt.Fprint(t.events, field)
	}
	fmt.Fprintln(t.events)
}

func (t *txnRun) end(producer TxnProducer, number int, commit bool) error {
	if err := producer.End(commit); err != nil {
		return fmt.Errorf("end of %d: %w", number, err)
	}
	if commit && number != txnLast {
		t.committed += txnSize
	}
	t.told("E", number, map[bool]string{true: "commit", false: "abort"}[commit])
	return nil
}

func (t *txnRun) open(producer TxnProducer, topic string, number int) error {
	if err := producer.Begin(); err != nil {
		return err
	}
	return producer.Send(topic, recordsOf(number))
}

func (t *txnRun) transact(producer TxnProducer, topic string, number int, commit bool) error {
	if err := t.open(producer, topic, number); err != nil {
		return err
	}
	return t.end(producer, number, commit)
}

// refused is about a commit that must not succeed any more.
func (t *txnRun) refused(producer TxnProducer, number int, fate string) (string, error) {
	err := producer.End(true)
	if err == nil {
		return "", fmt.Errorf("transaction %d was committed", number)
	}
	if !t.client.Refused(err) {
		return "", fmt.Errorf("the commit of %d was refused with %w", number, err)
	}
	t.told("E", number, fate)
	return err.Error(), nil
}

func (t *txnRun) pair(outer, inner int) error {
	records := recordsOf(outer)
	steps := []func() error{
		t.x.Begin, t.y.Begin,
		func() error { return t.x.Send(TxnInput, records[:txnSize/2]) },
		func() error { return t.y.Send(TxnInput, recordsOf(inner)) },
		func() error { return t.x.Send(TxnInput, records[txnSize/2:]) },
		func() error { return t.end(t.y, inner, inner%3 != 1) },
		func() error { return t.end(t.x, outer, outer%3 != 1) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *txnRun) ends() (string, error) {
	for number := 0; number < txnEnds; number += 2 {
		if err := t.pair(number, number+1); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d transactions, each opened within another", txnEnds), nil
}

func (t *txnRun) fence() (string, error) {
	first, err := t.client.Producer(id("f"), time.Minute)
	if err != nil {
		return "", err
	}
	defer first.Close()
	if err = t.open(first, TxnInput, txnFenced); err != nil {
		return "", err
	}
	second, err := t.client.Producer(id("f"), time.Minute)
	if err != nil {
		return "", err
	}
	defer second.Close()
	if err = t.transact(second, TxnInput, txnFencer, true); err != nil {
		return "", err
	}
	return t.refused(first, txnFenced, "fenced")
}

func (t *txnRun) admin() (note string, err error) {
	if err = t.open(t.x, TxnInput, txnOpen); err != nil {
		return "", err
	}
	if t.client.Look == nil {
		return "its admin client knows no transactions", t.end(t.x, txnOpen, false)
	}
	if note, err = t.client.Look(id("x"), TxnInput); err != nil {
		return "", err
	}
	if err = t.end(t.x, txnOpen, false); err != nil {
		return "", err
	}
	return note, Await("it is listed as aborted", func() bool {
		ended, problem := t.client.Ended(id("x"))
		if problem != nil {
			panic(problem)
		}
		return ended
	})
}

// timeout: a reader of committed records gets past an abandoned transaction only when the broker has ended it.
func (t *txnRun) timeout() (string, error) {
	abandoned, err := t.client.Producer(id("z"), 2*time.Second)
	if err != nil {
		return "", err
	}
	defer abandoned.Close()
	if err = t.open(abandoned, TxnInput, txnAbandoned); err != nil {
		return "", err
	}
	if err = t.transact(t.x, TxnInput, txnAfter, true); err != nil {
		return "", err
	}
	if _, err = t.read("committed", TxnInput, txnAfter, false); err != nil {
		return "", err
	}
	return t.refused(abandoned, txnAbandoned, "expired")
}

func (t *txnRun) transform() (string, error) {
	turns := &Turns{total: t.committed}
	for life := 1; life <= txnLives; life++ {
		turns.goal, turns.last, turns.over = t.committed*life/txnLives, life == txnLives, false
		if err := t.client.Life(id("transform"), turns); err != nil {
			return "", err
		}
	}
	if turns.done != t.committed {
		return "", fmt.Errorf("%d of %d were handed out", turns.done, t.committed)
	}
	return fmt.Sprintf("%d records, and %d in vain", turns.done, turns.aborted), t.transact(t.x, TxnOutput, txnLast, true)
}

// read reads all partitions of a topic up to the last record of a transaction.
func (t *txnRun) read(isolation, topic string, last int, noted bool) (count int, err error) {
	wanted := map[string]bool{}
	for _, r := range recordsOf(last)[txnSize-TxnPartitions:] {
		wanted[r.Value] = true
	}
	err = t.client.Read(isolation, topic, func(r TxnRecord) bool {
		if noted {
			t.told("R", isolation, topic, r.Partition, r.Offset, r.Value)
		}
		delete(wanted, r.Value)
		count++
		return len(wanted) == 0
	})
	return count, err
}

func (t *txnRun) readers() (note string, err error) {
	for _, isolation := range []string{"committed", "uncommitted"} {
		input, failed := t.read(isolation, TxnInput, txnAfter, true)
		if failed != nil {
			return "", failed
		}
		output, failed := t.read(isolation, TxnOutput, txnLast, true)
		if failed != nil {
			return "", failed
		}
		note += fmt.Sprintf("%d+%d %s ", input, output, isolation)
	}
	return note, nil
}

func (t *txnRun) start() (note string, err error) {
	if err = t.client.Create(TxnInput, TxnOutput); err != nil {
		return "", err
	}
	Settle()
	if t.x, err = t.client.Producer(id("x"), time.Minute); err != nil {
		return "", err
	}
	t.y, err = t.client.Producer(id("y"), time.Minute)
	return "two producers", err
}

// RunTransactions goes through the scenario, up to the first step that fails.
func RunTransactions(client TxnClient) {
	events, err := os.Create(os.Getenv("INTEROP_EVENTS") + "@txn")
	if err != nil {
		panic(err)
	}
	defer events.Close()
	t := &txnRun{client: client, events: events}
	steps := []struct {
		name string
		work func() (string, error)
	}{{"start", t.start}, {"ends", t.ends}, {"fence", t.fence}, {"admin", t.admin}, {"timeout", t.timeout},
		{"transform", t.transform}, {"read", t.readers}}
	for _, step := range steps {
		if !Step("txn."+step.name, step.work) {
			return
		}
	}
}
