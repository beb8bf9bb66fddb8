package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tailwater/interop/interop"
)

// The transactional scenario. Its producers keep partitions as given and do not compress.
func producing(id string, timeout time.Duration) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(interop.Broker), kgo.TransactionalID(id), kgo.TransactionTimeout(timeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression())}
}

type producer struct{ client *kgo.Client }

func newProducer(id string, timeout time.Duration) (interop.TxnProducer, error) {
	client, err := kgo.NewClient(producing(id, timeout)...)
	if err != nil {
		return nil, err
	}
	_, _, err = client.ProducerID(interop.Background()) // now, not at the first record: it fences
	return &producer{client}, err
}

func outgoing(topic string, records []interop.TxnRecord) (all []*kgo.Record) {
	for _, r := range records {
		all = append(all, &kgo.Record{Topic: topic, Partition: r.Partition, Value: []byte(r.Value)})
	}
	return all
}

func (p *producer) Begin() error { return p.client.BeginTransaction() }
func (p *producer) Close()       { p.client.Close() }
func (p *producer) Send(topic string, records []interop.TxnRecord) error {
	return p.client.ProduceSync(interop.Background(), outgoing(topic, records)...).FirstErr()
}
func (p *producer) End(commit bool) error {
	return p.client.EndTransaction(interop.Background(), kgo.TransactionEndTry(commit))
}

func refused(err error) bool {
	return errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidTxnState)
}

// poll takes some records, at least one.
func poll(source interface {
	PollRecords(context.Context, int) kgo.Fetches
}, most int) (taken []interop.TxnRecord, err error) {
	limit, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for len(taken) == 0 {
		fetches := source.PollRecords(limit, most)
		if err = fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			taken = append(taken, interop.TxnRecord{Partition: r.Partition, Offset: r.Offset, Value: string(r.Value)})
		})
	}
	return taken, nil
}

func live(id string, turns *interop.Turns) error {
	session, err := kgo.NewGroupTransactSession(append(producing(id, time.Minute), kgo.ConsumerGroup(interop.TxnGroup),
		kgo.ConsumeTopics(interop.TxnInput), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return err
	}
	defer session.Close()
	for !turns.Over() {
		taken, err := poll(session, interop.TxnBatch)
		if err != nil {
			return err
		}
		if err = session.Begin(); err != nil {
			return err
		}
		for i := range taken {
			taken[i] = interop.Transformed(taken[i])
		}
		if err = session.ProduceSync(interop.Background(), outgoing(interop.TxnOutput, taken)...).FirstErr(); err != nil {
			return err
		}
		commit := turns.Commit()
		committed, err := session.End(interop.Background(), kgo.TransactionEndTry(commit))
		if err != nil || committed != commit {
			return fmt.Errorf("committed: %v, asked for %v: %w", committed, commit, err)
		}
		turns.Ended(commit, len(taken))
	}
	return nil
}

func read(isolation, topic string, take func(interop.TxnRecord) bool) error {
	level := map[string]kgo.IsolationLevel{"committed": kgo.ReadCommitted(), "uncommitted": kgo.ReadUncommitted()}[isolation]
	client, err := kgo.NewClient(kgo.SeedBrokers(interop.Broker), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(level),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	for enough := false; !enough; {
		taken, err := poll(client, 100)
		if err != nil {
			return err
		}
		for _, r := range taken {
			enough = take(r) || enough
		}
	}
	return nil
}

// look lists and describes an open transaction, and its producer in each partition.
func look(id, topic string) (string, error) {
	listed, err := admin.ListTransactions(interop.Background(), nil, nil)
	if err != nil || listed[id].State != "Ongoing" {
		return "", fmt.Errorf("listed: %+v, %v", listed[id], err)
	}
	described, err := admin.DescribeTransactions(interop.Background(), id)
	open := described[id]
	if err = errors.Join(err, open.Err); err != nil || open.State != "Ongoing" || len(open.Topics[topic]) != interop.TxnPartitions {
		return "", fmt.Errorf("described: %+v, %v", open, err)
	}
	var partitions kadm.TopicsSet
	for p := range int32(interop.TxnPartitions) {
		partitions.Add(topic, p)
	}
	producers, err := admin.DescribeProducers(interop.Background(), partitions)
	if err != nil {
		return "", err
	}
	for _, p := range producers[topic].Partitions {
		if mine, ok := p.ActiveProducers[open.ProducerID]; p.Err != nil || !ok || mine.CurrentTxnStartOffset < 0 {
			return "", fmt.Errorf("producers of partition %d: %+v, %v", p.Partition, p.ActiveProducers, p.Err)
		}
	}
	return fmt.Sprintf("open: %d partitions", len(producers[topic].Partitions)), nil
}

func ended(id string) (bool, error) {
	listed, err := admin.ListTransactions(interop.Background(), nil, []string{"CompleteAbort"})
	return listed[id].State == "CompleteAbort", err
}

var transactions = interop.TxnClient{
	Create: func(topics ...string) error {
		answers, err := admin.CreateTopics(interop.Background(), interop.TxnPartitions, 1, nil, topics...)
		return errors.Join(err, answers.Error())
	},
	Producer: newProducer, Refused: refused, Look: look, Ended: ended, Life: live, Read: read,
}
