// The scenario with franz-go: idempotent producer, murmur2 and the cooperative-sticky assignor are its defaults.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tailwater/interop/interop"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}

var admin *kadm.Client

func create() (string, error) {
	for _, topic := range interop.Topics() {
		if _, err := admin.CreateTopic(interop.Background(), int32(interop.Partitions), 1, nil, topic); err != nil {
			return "", err
		}
	}
	interop.Settle()
	_, err := admin.CreateTopic(interop.Background(), 1, 1, nil, interop.Topic("none"))
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		return "", fmt.Errorf("a second create says %v", err)
	}
	return "second create refused", nil
}

func produce(codec string) (string, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(interop.Broker), kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		return "", err
	}
	defer client.Close()
	var records []*kgo.Record
	for i := range interop.Records {
		records = append(records, &kgo.Record{Topic: interop.Topic(codec), Key: []byte(interop.Key(i)),
			Value:   []byte(interop.Value(codec, i)),
			Headers: []kgo.RecordHeader{{Key: "suite", Value: []byte("interop")}}})
	}
	return "acks=all, idempotent", client.ProduceSync(interop.Background(), records...).FirstErr()
}

// member is what one consumer has read and not committed.
type member struct {
	*interop.Member
	client *kgo.Client
	done   map[string]map[int32]*kgo.Record
	failed error
}

// commit commits synchronously what was read of these partitions; nil means of all.
func (m *member) commit(only map[string][]int32) error {
	var last []*kgo.Record
	for topic, partitions := range m.done {
		for partition, record := range partitions {
			if only == nil || slices.Contains(only[topic], partition) {
				last = append(last, record)
				delete(partitions, partition)
			}
		}
	}
	if len(last) == 0 {
		return nil
	}
	if err := m.client.CommitRecords(interop.Background(), last...); err != nil {
		return err
	}
	for _, r := range last {
		m.Pace.Committed(m.Name, r.Topic, r.Partition, r.Offset+1)
	}
	return nil
}

func (m *member) read(r *kgo.Record) error {
	if len(r.Headers) != 1 {
		return errors.New("the header is missing")
	}
	if m.done[r.Topic] == nil {
		m.done[r.Topic] = map[int32]*kgo.Record{}
	}
	m.done[r.Topic][r.Partition] = r
	m.Pace.Read(m.Name, r.Topic, r.Partition, r.Offset, r.Key, r.Value)
	return nil
}

func (m *member) poll() error {
	limit, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fetches := m.client.PollRecords(limit, 100)
	for _, failed := range fetches.Errors() {
		if !errors.Is(failed.Err, context.DeadlineExceeded) {
			return fmt.Errorf("fetch of %s-%d: %w", failed.Topic, failed.Partition, failed.Err)
		}
	}
	for _, r := range fetches.Records() {
		if err := m.read(r); err != nil {
			return err
		}
	}
	return nil
}

// work is one member's life. Rebalances are held back while a poll's records are handled.
func work(common *interop.Member) error {
	m := &member{Member: common, done: map[string]map[int32]*kgo.Record{}}
	count := func(partitions map[string][]int32, sign int64) {
		for _, list := range partitions {
			m.Assigned.Add(sign * int64(len(list)))
		}
	}
	options := []kgo.Opt{kgo.SeedBrokers(interop.Broker), kgo.ClientID(m.Name), kgo.ConsumerGroup(m.Group),
		kgo.ConsumeTopics(interop.Topics()...), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.HeartbeatInterval(300 * time.Millisecond), kgo.SessionTimeout(30 * time.Second),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) { count(assigned, 1) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, revoked map[string][]int32) {
			count(revoked, -1)
			if err := m.commit(revoked); err != nil {
				m.failed = err
			}
		})}
	if m.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	}
	var err error
	if m.client, err = kgo.NewClient(options...); err != nil {
		return err
	}
	defer m.client.CloseAllowingRebalance()
	for polls := 1; !m.Stopped(); polls++ {
		if err := m.poll(); err != nil {
			return err
		}
		if polls%10 == 0 {
			if err := m.commit(nil); err != nil {
				return err
			}
		}
		m.client.AllowRebalance()
	}
	if err := m.commit(nil); err != nil {
		return err
	}
	return m.failed
}

func describeClassic(group string) (string, error) {
	found, err := admin.DescribeGroups(interop.Background(), group)
	if err != nil || len(found[group].Members) != 1 {
		return "", fmt.Errorf("describe shows %d members, one is alive: %v", len(found[group].Members), err)
	}
	return "described while alive: 1 member, " + found[group].State, nil
}

func describeConsumer(group string) (string, error) {
	found, err := admin.DescribeConsumerGroups(interop.Background(), group)
	if err != nil || len(found[group].Members) != 1 {
		return "", fmt.Errorf("describe shows %d members, one is alive: %v", len(found[group].Members), err)
	}
	return "described while alive: 1 member, " + found[group].State, nil
}

func topics() (string, error) {
	listed, err := admin.ListTopics(interop.Background(), interop.Topics()...)
	if err != nil {
		return "", err
	}
	for _, topic := range interop.Topics() {
		if len(listed[topic].Partitions) != interop.Partitions || listed[topic].Err != nil {
			return "", fmt.Errorf("%s: %d partitions, %v", topic, len(listed[topic].Partitions), listed[topic].Err)
		}
	}
	cluster, err := admin.BrokerMetadata(interop.Background())
	if err == nil && len(cluster.Brokers) == 0 {
		err = errors.New("no brokers")
	}
	return "cluster " + cluster.Cluster, err
}

func groups() (string, error) {
	group := interop.Group("classic")
	listed, err := admin.ListGroups(interop.Background())
	if err != nil {
		return "", err
	}
	if _, ok := listed[group]; !ok {
		return "", errors.New("the group is not listed")
	}
	found, err := admin.DescribeGroups(interop.Background(), group)
	if err == nil && len(found[group].Members) != 0 {
		err = errors.New("members are left")
	}
	return found[group].State, err
}

func offsets() (string, error) {
	ends, err := admin.ListEndOffsets(interop.Background(), interop.Topics()...)
	if err != nil {
		return "", err
	}
	starts, err := admin.ListOffsetsAfterMilli(interop.Background(), 0, interop.Topics()...)
	if err != nil {
		return "", err
	}
	committed, err := admin.FetchOffsets(interop.Background(), interop.Group("classic"))
	if err != nil {
		return "", err
	}
	total := int64(0)
	ends.Each(func(end kadm.ListedOffset) {
		have, ok := committed.Lookup(end.Topic, end.Partition)
		start, _ := starts.Lookup(end.Topic, end.Partition)
		if !ok || have.At != end.Offset || start.Offset != 0 {
			err = fmt.Errorf("%s-%d: committed %d, end %d, first by time %d", end.Topic, end.Partition, have.At, end.Offset, start.Offset)
		}
		total += end.Offset
	})
	return fmt.Sprintf("%d at the end", total), err
}

func configs() (string, error) {
	topic := interop.Topic("none")
	changed, err := admin.AlterTopicConfigs(interop.Background(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("86400001")}}, topic)
	if err == nil {
		err = changed[0].Err
	}
	if err != nil {
		return "", err
	}
	interop.Settle()
	found, err := admin.DescribeTopicConfigs(interop.Background(), topic)
	if err != nil {
		return "", err
	}
	for _, config := range found[0].Configs {
		if config.Key == "retention.ms" && config.MaybeValue() == "86400001" {
			return fmt.Sprintf("%d topic keys, retention.ms from %s", len(found[0].Configs), config.Source), nil
		}
	}
	return "", errors.New("retention.ms was not set")
}

func deleteTopic() (string, error) {
	scratch := interop.Topic("scratch")
	if _, err := admin.CreateTopic(interop.Background(), 1, 1, nil, scratch); err != nil {
		return "", err
	}
	interop.Settle()
	added, err := admin.UpdatePartitions(interop.Background(), 3, scratch)
	if err == nil {
		err = added.Error()
	}
	if err != nil {
		return "", err
	}
	count := func() int {
		listed, _ := admin.ListTopics(interop.Background(), scratch)
		return len(listed[scratch].Partitions)
	}
	if err := interop.Await("three partitions", func() bool { return count() == 3 }); err != nil {
		return "", err
	}
	if _, err := admin.DeleteTopic(interop.Background(), scratch); err != nil {
		return "", err
	}
	return "partitions added, topic deleted", interop.Await("it is gone", func() bool { return count() == 0 })
}

func main() {
	client, err := kgo.NewClient(kgo.SeedBrokers(interop.Broker), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		panic(err)
	}
	admin = kadm.NewClient(client)
	interop.Step("create", create)
	for _, codec := range interop.Codecs {
		interop.Step("produce."+codec, func() (string, error) { return produce(codec) })
	}
	interop.RunGroup(work, "classic", "", describeClassic)
	if interop.Kip848 {
		interop.RunGroup(work, "consumer", "@consumer", describeConsumer)
	}
	interop.Step("admin.topics", topics)
	interop.Step("admin.groups", groups)
	interop.Step("admin.offsets", offsets)
	interop.Step("admin.configs", configs)
	interop.Step("admin.delete", deleteTopic)
	interop.RunTransactions(transactions)
}
