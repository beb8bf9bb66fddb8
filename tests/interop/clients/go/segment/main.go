// The scenario with segmentio's kafka-go; murmur2 is configured. Members use its ConsumerGroup, on which its Reader
// stands too, because only there a program is told of the end of a generation and can commit before it.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"tailwater/interop/interop"
)

var codecs = map[string]kafka.Compression{
	"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}

var client = &kafka.Client{Addr: kafka.TCP(interop.Broker), Timeout: 60 * time.Second}

func createTopic(topic string, partitions int) error {
	answer, err := client.CreateTopics(interop.Background(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func create() (string, error) {
	for _, topic := range interop.Topics() {
		if err := createTopic(topic, interop.Partitions); err != nil {
			return "", err
		}
	}
	interop.Settle()
	if err := createTopic(interop.Topic("none"), 1); !errors.Is(err, kafka.TopicAlreadyExists) {
		return "", fmt.Errorf("a second create says %v", err)
	}
	return "second create refused", nil
}

func produce(codec string) (string, error) {
	writer := &kafka.Writer{Addr: kafka.TCP(interop.Broker), Topic: interop.Topic(codec), Balancer: kafka.Murmur2Balancer{Consistent: true},
		Compression: codecs[codec], RequiredAcks: kafka.RequireAll, BatchTimeout: 20 * time.Millisecond, BatchSize: 200}
	var messages []kafka.Message
	for i := range interop.Records {
		messages = append(messages, kafka.Message{Key: []byte(interop.Key(i)), Value: []byte(interop.Value(codec, i)),
			Headers: []kafka.Header{{Key: "suite", Value: []byte("interop")}}})
	}
	if err := writer.WriteMessages(interop.Background(), messages...); err != nil {
		return "", err
	}
	return "acks=all", writer.Close()
}

// member's partitions are read beside each other; the lock makes their reads one after the other.
type member struct {
	*interop.Member
	lock   sync.Mutex
	failed error
}

func (m *member) fail(err error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.failed = errors.Join(m.failed, err)
}

func (m *member) commit(generation *kafka.Generation, topic string, partition int, offset int64) {
	if err := generation.CommitOffsets(map[string]map[int]int64{topic: {partition: offset}}); err != nil {
		m.fail(fmt.Errorf("commit: %w", err))
		return
	}
	m.Pace.Committed(m.Name, topic, int32(partition), offset)
}

// read reads one partition until the generation ends, and commits before it does.
func (m *member) read(limit context.Context, generation *kafka.Generation, topic string, from kafka.PartitionAssignment) {
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{interop.Broker}, Topic: topic, Partition: from.ID,
		MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 100 * time.Millisecond})
	defer reader.Close()
	if err := reader.SetOffset(from.Offset); err != nil {
		m.fail(err)
		return
	}
	next, committed := from.Offset, from.Offset
	for limit.Err() == nil {
		r, err := reader.ReadMessage(limit)
		if err != nil {
			if limit.Err() == nil {
				m.fail(fmt.Errorf("read of %s-%d: %w", topic, from.ID, err))
			}
			break
		}
		m.lock.Lock()
		if limit.Err() == nil {
			if len(r.Headers) != 1 {
				panic("the header is missing")
			}
			m.Pace.Read(m.Name, r.Topic, int32(r.Partition), r.Offset, r.Key, r.Value)
			next = r.Offset + 1
		}
		m.lock.Unlock()
		if next >= committed+500 {
			m.commit(generation, topic, from.ID, next)
			committed = next
		}
	}
	if next > committed {
		m.commit(generation, topic, from.ID, next)
	}
}

func work(common *interop.Member) error {
	m := &member{Member: common}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: m.Group, Brokers: []string{interop.Broker}, Topics: interop.Topics(),
		HeartbeatInterval: 300 * time.Millisecond, SessionTimeout: 30 * time.Second, StartOffset: kafka.FirstOffset})
	if err != nil {
		return err
	}
	limit, cancel := context.WithCancel(interop.Background())
	go func() {
		<-m.Stopping
		cancel()
	}()
	for {
		generation, err := group.Next(limit)
		if limit.Err() != nil {
			break
		}
		if errors.Is(err, kafka.RebalanceInProgress) {
			continue // the next rebalance has begun before this one's end
		}
		if err != nil {
			return err
		}
		count := 0
		for topic, partitions := range generation.Assignments {
			count += len(partitions)
			for _, partition := range partitions {
				generation.Start(func(ended context.Context) { m.read(ended, generation, topic, partition) })
			}
		}
		m.Assigned.Store(int64(count))
	}
	return errors.Join(group.Close(), m.failed)
}

func describeGroup(group string, members int) (string, error) {
	answer, err := client.DescribeGroups(interop.Background(), &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return "", err
	}
	if found := answer.Groups[0]; found.Error != nil || len(found.Members) != members {
		return "", fmt.Errorf("describe shows %d members, %d alive, %v", len(found.Members), members, found.Error)
	}
	return fmt.Sprintf("described: %d members, %s", members, answer.Groups[0].GroupState), nil
}

func topics() (string, error) {
	answer, err := client.Metadata(interop.Background(), &kafka.MetadataRequest{Topics: interop.Topics()})
	if err != nil {
		return "", err
	}
	for _, topic := range answer.Topics {
		if topic.Error != nil || len(topic.Partitions) != interop.Partitions {
			return "", fmt.Errorf("%s: %v, %d partitions", topic.Name, topic.Error, len(topic.Partitions))
		}
	}
	return fmt.Sprintf("%d brokers, cluster %s", len(answer.Brokers), answer.ClusterID), nil
}

func groups() (string, error) {
	group := interop.Group("classic")
	listed, err := client.ListGroups(interop.Background(), &kafka.ListGroupsRequest{})
	if err != nil || listed.Error != nil {
		return "", errors.Join(err, listed.Error)
	}
	for _, found := range listed.Groups {
		if found.GroupID == group {
			return describeGroup(group, 0)
		}
	}
	return "", errors.New("the group is not listed")
}

func offsets() (string, error) {
	wanted, ends := map[string][]int{}, map[string][]kafka.OffsetRequest{}
	for _, topic := range interop.Topics() {
		for partition := range interop.Partitions {
			wanted[topic] = append(wanted[topic], partition)
			ends[topic] = append(ends[topic], kafka.LastOffsetOf(partition), kafka.TimeOffsetOf(partition, time.UnixMilli(1)))
		}
	}
	listed, err := client.ListOffsets(interop.Background(), &kafka.ListOffsetsRequest{Topics: ends})
	if err != nil {
		return "", err
	}
	committed, err := client.OffsetFetch(interop.Background(), &kafka.OffsetFetchRequest{GroupID: interop.Group("classic"), Topics: wanted})
	if err != nil {
		return "", err
	}
	total := int64(0)
	for topic, partitions := range listed.Topics {
		end := map[int]int64{}
		for _, p := range partitions {
			if p.Error != nil {
				return "", p.Error
			}
			if _, byTime := p.Offsets[0]; !byTime {
				return "", fmt.Errorf("%s-%d: first by time is not 0: %+v", topic, p.Partition, p)
			}
			end[p.Partition] = p.LastOffset
		}
		for _, have := range committed.Topics[topic] {
			if have.Error != nil || have.CommittedOffset != end[have.Partition] {
				return "", fmt.Errorf("%s-%d: committed %d, end %d, %v", topic, have.Partition, have.CommittedOffset, end[have.Partition], have.Error)
			}
			total += have.CommittedOffset
		}
	}
	return fmt.Sprintf("%d at the end", total), nil
}

func configs() (string, error) {
	topic := interop.Topic("none")
	changed, err := client.IncrementalAlterConfigs(interop.Background(), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "retention.ms", Value: "86400001", ConfigOperation: kafka.ConfigOperationSet}}}}})
	if err != nil || changed.Resources[0].Error != nil {
		return "", errors.Join(err, changed.Resources[0].Error)
	}
	interop.Settle()
	answer, err := client.DescribeConfigs(interop.Background(), &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}}})
	if err != nil {
		return "", err
	}
	for _, entry := range answer.Resources[0].ConfigEntries {
		if entry.ConfigName == "retention.ms" && entry.ConfigValue == "86400001" {
			return fmt.Sprintf("%d topic keys", len(answer.Resources[0].ConfigEntries)), nil
		}
	}
	return "", errors.New("retention.ms was not set")
}

func deleteTopic() (string, error) {
	scratch := interop.Topic("scratch")
	if err := createTopic(scratch, 1); err != nil {
		return "", err
	}
	interop.Settle()
	added, err := client.CreatePartitions(interop.Background(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: scratch, Count: 3}}})
	if err != nil || added.Errors[scratch] != nil {
		return "", errors.Join(err, added.Errors[scratch])
	}
	deleted, err := client.DeleteTopics(interop.Background(), &kafka.DeleteTopicsRequest{Topics: []string{scratch}})
	if err != nil || deleted.Errors[scratch] != nil {
		return "", errors.Join(err, deleted.Errors[scratch])
	}
	return "partitions added, topic deleted", nil
}

func main() {
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
}
