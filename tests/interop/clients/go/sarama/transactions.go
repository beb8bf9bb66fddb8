package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"tailwater/interop/interop"
)

// The transactional scenario. sarama's admin client knows no transactions.
func txnConfig(name string) *sarama.Config {
	c := config(name)
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
	c.Producer.Flush.Frequency = 0
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	return c
}

type producer struct{ sarama.SyncProducer }

func newProducer(id string, timeout time.Duration) (interop.TxnProducer, error) {
	c := txnConfig(id)
	c.Producer.Transaction.ID = id
	c.Producer.Transaction.Timeout = timeout
	p, err := sarama.NewSyncProducer([]string{interop.Broker}, c)
	return &producer{p}, err
}

func (p *producer) Begin() error { return p.BeginTxn() }
func (p *producer) Close()       { p.SyncProducer.Close() }
func (p *producer) Send(topic string, records []interop.TxnRecord) error {
	var all []*sarama.ProducerMessage
	for _, r := range records {
		all = append(all, &sarama.ProducerMessage{Topic: topic, Partition: r.Partition, Value: sarama.StringEncoder(r.Value)})
	}
	return p.SendMessages(all)
}
func (p *producer) End(commit bool) error {
	if commit {
		return p.CommitTxn()
	}
	return p.AbortTxn()
}

func refused(err error) bool {
	return errors.Is(err, sarama.ErrInvalidProducerEpoch) || errors.Is(err, sarama.ErrProducerFenced) || errors.Is(err, sarama.ErrInvalidTxnState)
}

// life is one consumer of the transform. Its claims run beside each other, the lock makes their transactions follow each other.
type life struct {
	producer *producer
	turns    *interop.Turns
	over     context.CancelFunc
	lock     sync.Mutex
	failed   error
}

func (l *life) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (l *life) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (l *life) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		var taken []*sarama.ConsumerMessage
		select {
		case r, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			taken = append(taken, r)
		case <-session.Context().Done():
			return nil
		}
		for more := true; more && len(taken) < interop.TxnBatch; {
			select {
			case r, ok := <-claim.Messages():
				if more = ok; ok {
					taken = append(taken, r)
				}
			default:
				more = false
			}
		}
		l.transform(session, taken)
	}
}

func (l *life) transform(session sarama.ConsumerGroupSession, taken []*sarama.ConsumerMessage) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.failed != nil || l.turns.Over() || session.Context().Err() != nil {
		return
	}
	commit := l.turns.Commit()
	if l.failed = l.batch(session, taken, commit); l.failed == nil {
		l.turns.Ended(commit, len(taken))
	}
	if l.failed != nil || l.turns.Over() {
		l.over()
	}
}

func (l *life) batch(session sarama.ConsumerGroupSession, taken []*sarama.ConsumerMessage, commit bool) error {
	if err := l.producer.Begin(); err != nil {
		return err
	}
	var records []interop.TxnRecord
	for _, r := range taken {
		records = append(records, interop.Transformed(interop.TxnRecord{Partition: r.Partition, Value: string(r.Value)}))
	}
	if err := l.producer.Send(interop.TxnOutput, records); err != nil {
		return err
	}
	group := sarama.NewConsumerGroupMetadataFromSession(session, interop.TxnGroup, nil)
	if err := l.producer.AddMessageToTxnWithGroupMetadata(taken[len(taken)-1], group, nil); err != nil {
		return err
	}
	return l.producer.End(commit)
}

func live(id string, turns *interop.Turns) error {
	made, err := newProducer(id, time.Minute)
	if err != nil {
		return err
	}
	defer made.Close()
	c := txnConfig("transform")
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	group, err := sarama.NewConsumerGroup([]string{interop.Broker}, interop.TxnGroup, c)
	if err != nil {
		return err
	}
	defer group.Close()
	limit, over := context.WithTimeout(context.Background(), 2*time.Minute)
	defer over()
	l := &life{producer: made.(*producer), turns: turns, over: over}
	for !turns.Over() && l.failed == nil {
		if err := group.Consume(limit, []string{interop.TxnInput}, l); err != nil && !errors.Is(err, context.Canceled) {
			return errors.Join(err, l.failed)
		}
		if limit.Err() == context.DeadlineExceeded {
			return errors.New("120 s passed before the transform had read its share")
		}
	}
	return l.failed
}

func read(isolation, topic string, take func(interop.TxnRecord) bool) error {
	c := txnConfig("reader")
	if isolation == "committed" {
		c.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	consumer, err := sarama.NewConsumer([]string{interop.Broker}, c)
	if err != nil {
		return err
	}
	defer consumer.Close()
	found, limit := make(chan *sarama.ConsumerMessage), time.After(2*time.Minute)
	done := make(chan struct{})
	defer close(done)
	for p := range int32(interop.TxnPartitions) {
		partition, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		defer partition.AsyncClose()
		go func() {
			for r := range partition.Messages() {
				select {
				case found <- r:
				case <-done:
				}
			}
		}()
	}
	for {
		select {
		case r := <-found:
			if take(interop.TxnRecord{Partition: r.Partition, Offset: r.Offset, Value: string(r.Value)}) {
				return nil
			}
		case <-limit:
			return errors.New("120 s passed before all was read")
		}
	}
}

var transactions = interop.TxnClient{
	Create: func(topics ...string) error {
		for _, topic := range topics {
			if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: interop.TxnPartitions, ReplicationFactor: 1}, false); err != nil {
				return err
			}
		}
		return nil
	},
	Producer: newProducer, Refused: refused, Life: live, Read: read,
}
