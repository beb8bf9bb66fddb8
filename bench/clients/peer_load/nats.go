package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
)

// nats is JetStream: a stream has one subject of its name, and a record is a message. Each is acknowledged, or several
// are published as one atomic batch, and that is.
type nats struct{ atomic bool }

const connect = "CONNECT {\"verbose\":false,\"headers\":true,\"pedantic\":false,\"lang\":\"load\",\"version\":\"1\",\"protocol\":1}\r\nPING\r\n"

// natsLine is one connection.
type natsLine struct {
	net.Conn
	in      *bufio.Reader
	unit    []byte
	answers int    // that a unit gets
	ids     []int  // where in it the batch's number stands
	body    []byte // of the message at hand
}

func (plan Plan) natsLine(inbox string) (*natsLine, error) {
	socket, in, err := plan.dial()
	if err != nil {
		return nil, err
	}
	line := &natsLine{Conn: socket, in: in}
	if _, err = io.WriteString(socket, connect); err != nil {
		return nil, err
	}
	for {
		word, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(word, "PONG") {
			break
		}
	}
	_, err = fmt.Fprintf(socket, "SUB %s 1\r\n", inbox)
	return line, err
}

// message is the body of the next message; pings are answered on the way.
func (line *natsLine) message() ([]byte, error) {
	for {
		head, err := line.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		switch {
		case bytes.HasPrefix(head, []byte("MSG ")):
			size := 0
			for _, digit := range bytes.TrimRight(head[bytes.LastIndexByte(head, ' ')+1:], "\r\n") {
				size = size*10 + int(digit-'0')
			}
			if size+2 > len(line.body) {
				line.body = make([]byte, 2*size+2)
			}
			_, err = io.ReadFull(line.in, line.body[:size+2])
			return line.body[:size], err
		case bytes.HasPrefix(head, []byte("PING")):
			if _, err = io.WriteString(line.Conn, "PONG\r\n"); err != nil {
				return nil, err
			}
		case !bytes.HasPrefix(head, []byte("INFO ")):
			return nil, fmt.Errorf("nats: %s", bytes.TrimSpace(head))
		}
	}
}

func (plan Plan) natsAsk(subject string, request, answer any) error {
	line, err := plan.natsLine("answers")
	if err != nil {
		return err
	}
	defer line.Close()
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(line, "PUB %s answers %d\r\n%s\r\n", subject, len(body), body); err != nil {
		return err
	}
	found, err := line.message()
	if err != nil {
		return err
	}
	return json.Unmarshal(found, answer)
}

func (nats) Make(plan Plan, stream string) error {
	var answer struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	err := plan.natsAsk("$JS.API.STREAM.CREATE."+stream, map[string]any{
		"name": stream, "subjects": []string{stream}, "retention": "limits", "discard": "old", "storage": "file",
		"num_replicas": 1, "allow_atomic": true, "max_bytes": plan.held, "max_age": 0, "max_msgs": -1, "max_consumers": -1}, &answer)
	if err == nil && answer.Error != nil {
		err = fmt.Errorf("nats: %s", answer.Error.Description)
	}
	return err
}

func (nats) Holds(plan Plan, stream string) (uint64, error) {
	var answer struct {
		State struct {
			LastSeq uint64 `json:"last_seq"`
		} `json:"state"`
	}
	err := plan.natsAsk("$JS.API.STREAM.INFO."+stream, map[string]any{}, &answer)
	return answer.State.LastSeq, err
}

var inboxes int

func (system nats) Open(plan Plan, stream string) (Speaker, error) {
	inboxes++
	inbox := fmt.Sprintf("acks.%d", inboxes)
	line, err := plan.natsLine(inbox)
	if err != nil {
		return nil, err
	}
	if system.atomic && plan.records > 1 {
		line.atomicUnit(plan, stream, inbox)
		return line, nil
	}
	for number := 0; number < plan.records; number++ {
		line.unit = fmt.Appendf(line.unit, "PUB %s %s %d\r\n", stream, inbox, plan.recordBytes)
		line.unit = append(append(line.unit, noise(plan.recordBytes, int64(number))...), "\r\n"...)
	}
	line.answers = plan.records
	return line, nil
}

const idDigits = 16

// atomicUnit is a batch that the server takes as a whole: only its last message asks for an answer. The batch's number is
// of the connection and of the unit.
func (line *natsLine) atomicUnit(plan Plan, stream, inbox string) {
	line.answers = 1
	for number := 1; number <= plan.records; number++ {
		reply, commit := "", ""
		if number == plan.records {
			reply, commit = inbox+" ", "Nats-Batch-Commit: 1\r\n"
		}
		head := fmt.Sprintf("NATS/1.0\r\nNats-Batch-Id: %s-", inbox)
		tail := fmt.Sprintf("\r\nNats-Batch-Sequence: %d\r\n%s\r\n", number, commit)
		size := len(head) + idDigits + len(tail)
		line.unit = fmt.Appendf(line.unit, "HPUB %s %s%d %d\r\n%s", stream, reply, size, size+plan.recordBytes, head)
		line.ids = append(line.ids, len(line.unit))
		line.unit = fmt.Appendf(line.unit, "%0*d%s", idDigits, 0, tail)
		line.unit = append(append(line.unit, noise(plan.recordBytes, int64(number))...), "\r\n"...)
	}
}

func (line *natsLine) Unit(number uint64) []byte {
	if len(line.ids) > 0 {
		id := fmt.Appendf(nil, "%0*d", idDigits, number)
		for _, at := range line.ids {
			copy(line.unit[at:], id)
		}
	}
	return line.unit
}

func (line *natsLine) PerUnit() int { return line.answers }

func (line *natsLine) Hear() (int, error) {
	body, err := line.message()
	if err == nil && (bytes.Contains(body, []byte(`"error"`)) || !bytes.Contains(body, []byte(`"seq"`))) {
		err = fmt.Errorf("nats: %s", body)
	}
	return 1, err
}
