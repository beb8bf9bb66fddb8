// The scenario with sarama; murmur2 is configured (its default is FNV-1a), acks are all, everything else is its default.
package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"tailwater/interop/interop"
)

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}

var admin sarama.ClusterAdmin

func config(name string) *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = name
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewMurmur2Partitioner
	c.Producer.Flush.Frequency = 20 * time.Millisecond
	c.Consumer.Return.Errors = true
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	return c
}

func create() (string, error) {
	for _, topic := range interop.Topics() {
		if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(interop.Partitions), ReplicationFactor: 1}, false); err != nil {
			return "", err
		}
	}
	interop.Settle()
	err := admin.CreateTopic(interop.Topic("none"), &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	if !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		return "", fmt.Errorf("a second create says %v", err)
	}
	return "second create refused", nil
}

func produce(codec string) (string, error) {
	c := config("producer")
	c.Producer.Compression = codecs[codec]
	producer, err := sarama.NewSyncProducer([]string{interop.Broker}, c)
	if err != nil {
		return "", err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for i := range interop.Records {
		messages = append(messages, &sarama.ProducerMessage{Topic: interop.Topic(codec), Key: sarama.StringEncoder(interop.Key(i)),
			Value: sarama.StringEncoder(interop.Value(codec, i)), Headers: []sarama.RecordHeader{{Key: []byte("suite"), Value: []byte("interop")}}})
	}
	return "acks=all", producer.SendMessages(messages)
}

// member handles one consumer's sessions. Claims run beside each other; the lock makes their reads one after the other.
type member struct {
	*interop.Member
	lock sync.Mutex
	done map[string]map[int32]int64
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	count := 0
	for _, partitions := range session.Claims() {
		count += len(partitions)
	}
	m.Assigned.Store(int64(count))
	return nil
}

func (m *member) Cleanup(session sarama.ConsumerGroupSession) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.commit(session)
	m.Assigned.Store(0)
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case r, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			m.read(session, r)
		case <-session.Context().Done():
			return nil
		}
	}
}

func (m *member) read(session sarama.ConsumerGroupSession, r *sarama.ConsumerMessage) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if session.Context().Err() != nil {
		return
	}
	if len(r.Headers) != 1 {
		panic("the header is missing")
	}
	m.Pace.Read(m.Name, r.Topic, r.Partition, r.Offset, r.Key, r.Value)
	session.MarkMessage(r, "")
	if m.done[r.Topic] == nil {
		m.done[r.Topic] = map[int32]int64{}
	}
	m.done[r.Topic][r.Partition] = r.Offset + 1
	if r.Offset%500 == 499 {
		m.commit(session)
	}
}

// commit is synchronous in sarama, but tells its errors on a channel of the group only.
func (m *member) commit(session sarama.ConsumerGroupSession) {
	session.Commit()
	for topic, partitions := range m.done {
		for partition, offset := range partitions {
			m.Pace.Committed(m.Name, topic, partition, offset)
		}
	}
	clear(m.done)
}

func work(common *interop.Member) error {
	m := &member{Member: common, done: map[string]map[int32]int64{}}
	group, err := sarama.NewConsumerGroup([]string{interop.Broker}, m.Group, config(m.Name))
	if err != nil {
		return err
	}
	go func() {
		for problem := range group.Errors() {
			fmt.Fprintln(os.Stderr, m.Name, problem)
		}
	}()
	go func() {
		<-m.Stopping
		group.Close()
	}()
	for {
		err := group.Consume(interop.Background(), interop.Topics(), m)
		if errors.Is(err, sarama.ErrClosedConsumerGroup) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func describeGroup(group string, members int) (string, error) {
	found, err := admin.DescribeConsumerGroups([]string{group})
	if err != nil {
		return "", err
	}
	if found[0].Err != sarama.ErrNoError || len(found[0].Members) != members {
		return "", fmt.Errorf("describe shows %d members, %d alive, %v", len(found[0].Members), members, found[0].Err)
	}
	return fmt.Sprintf("described: %d members, %s", members, found[0].State), nil
}

func topics() (string, error) {
	listed, err := admin.ListTopics()
	if err != nil {
		return "", err
	}
	described, err := admin.DescribeTopics(interop.Topics())
	if err != nil {
		return "", err
	}
	for _, topic := range described {
		if topic.Err != sarama.ErrNoError || len(topic.Partitions) != interop.Partitions || listed[topic.Name].NumPartitions != int32(interop.Partitions) {
			return "", fmt.Errorf("%s: %v, %d partitions", topic.Name, topic.Err, len(topic.Partitions))
		}
	}
	brokers, controller, err := admin.DescribeCluster()
	return fmt.Sprintf("%d brokers, controller %d", len(brokers), controller), err
}

func groups() (string, error) {
	group := interop.Group("classic")
	listed, err := admin.ListConsumerGroups()
	if err != nil {
		return "", err
	}
	if listed[group] != "consumer" {
		return "", fmt.Errorf("the group is listed as %q", listed[group])
	}
	return describeGroup(group, 0)
}

func offsets() (string, error) {
	client, err := sarama.NewClient([]string{interop.Broker}, config("offsets"))
	if err != nil {
		return "", err
	}
	defer client.Close()
	wanted, total := map[string][]int32{}, int64(0)
	for _, topic := range interop.Topics() {
		wanted[topic], _ = client.Partitions(topic)
	}
	committed, err := admin.ListConsumerGroupOffsets(interop.Group("classic"), wanted)
	if err != nil {
		return "", err
	}
	for topic, partitions := range wanted {
		for _, partition := range partitions {
			end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
			if err != nil {
				return "", err
			}
			first, err := client.GetOffset(topic, partition, 0)
			if have := committed.GetBlock(topic, partition); err != nil || first != 0 || have == nil || have.Offset != end {
				return "", fmt.Errorf("%s-%d: end %d, first by time %d, committed %+v, %v", topic, partition, end, first, have, err)
			}
			total += end
		}
	}
	return fmt.Sprintf("%d at the end", total), nil
}

func configs() (string, error) {
	topic, value := interop.Topic("none"), "86400001"
	err := admin.IncrementalAlterConfig(sarama.TopicResource, topic,
		map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}, false)
	if err != nil {
		return "", err
	}
	interop.Settle()
	found, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
	if err != nil {
		return "", err
	}
	for _, entry := range found {
		if entry.Name == "retention.ms" && entry.Value == value {
			return fmt.Sprintf("%d topic keys, retention.ms from %s", len(found), entry.Source), nil
		}
	}
	return "", errors.New("retention.ms was not set")
}

func deleteTopic() (string, error) {
	scratch := interop.Topic("scratch")
	if err := admin.CreateTopic(scratch, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false); err != nil {
		return "", err
	}
	interop.Settle()
	if err := admin.CreatePartitions(scratch, 3, nil, false); err != nil {
		return "", err
	}
	count := func() int32 {
		listed, _ := admin.ListTopics()
		return listed[scratch].NumPartitions
	}
	if err := interop.Await("three partitions", func() bool { return count() == 3 }); err != nil {
		return "", err
	}
	if err := admin.DeleteTopic(scratch); err != nil {
		return "", err
	}
	return "partitions added, topic deleted", interop.Await("it is gone", func() bool { return count() == 0 })
}

func main() {
	var err error
	if admin, err = sarama.NewClusterAdmin([]string{interop.Broker}, config("admin")); err != nil {
		panic(err)
	}
	interop.Step("create", create)
	for _, codec := range interop.Codecs {
		interop.Step("produce."+codec, func() (string, error) { return produce(codec) })
	}
	interop.RunGroup(work, "classic", "", func(group string) (string, error) { return describeGroup(group, 1) })
	interop.Step("admin.topics", topics)
	interop.Step("admin.groups", groups)
	interop.Step("admin.offsets", offsets)
	interop.Step("admin.configs", configs)
	interop.Step("admin.delete", deleteTopic)
	interop.RunTransactions(transactions)
}
