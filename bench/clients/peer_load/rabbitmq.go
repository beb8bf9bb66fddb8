package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// rabbitmq is its stream protocol: a unit is one frame with one entry of many records, confirmed as one.
type rabbitmq struct{}

const (
	keyDeclarePublisher = 1
	keyPublish          = 2
	keyConfirm          = 3
	keyPublishError     = 4
	keySubscribe        = 7
	keyDeliver          = 8
	keyCreate           = 13
	keyPeerProperties   = 17
	keySaslHandshake    = 18
	keySaslAuthenticate = 19
	keyTune             = 20
	keyOpen             = 21
	keyHeartbeat        = 23
	response            = 0x8000
	codeOK              = 1
	codeExists          = 5
	entryOfMany         = 0x80
	fromLast            = 2
	publishingIDAt      = 4 + 2 + 2 + 1 + 4
	chunkRecordsAt      = 4
	chunkOffsetAt       = 24

	emptyAfter = 2 * time.Second // a stream whose end does not come holds nothing
)

var big = binary.BigEndian

func str(to []byte, text string) []byte {
	return append(big.AppendUint16(to, uint16(len(text))), text...)
}

// rabbitLine is one connection.
type rabbitLine struct {
	net.Conn
	in          *bufio.Reader
	unit        []byte
	correlation uint32
}

func (line *rabbitLine) send(key uint16, body []byte) error {
	frame := big.AppendUint32(nil, uint32(4+len(body)))
	frame = big.AppendUint16(big.AppendUint16(frame, key), 1)
	_, err := line.Write(append(frame, body...))
	return err
}

// frame is the next one that is no heartbeat: its key and what follows the version.
func (line *rabbitLine) frame() (uint16, []byte, error) {
	for {
		var size [4]byte
		if _, err := io.ReadFull(line.in, size[:]); err != nil {
			return 0, nil, err
		}
		body := make([]byte, big.Uint32(size[:]))
		if _, err := io.ReadFull(line.in, body); err != nil {
			return 0, nil, err
		}
		if key := big.Uint16(body); key != keyHeartbeat {
			return key, body[4:], nil
		}
	}
}

// ask sends a request and gives the code of its answer. Other frames that come first are passed to other.
func (line *rabbitLine) ask(key uint16, body []byte, other func(uint16, []byte)) (uint16, error) {
	line.correlation++
	if err := line.send(key, append(big.AppendUint32(nil, line.correlation), body...)); err != nil {
		return 0, err
	}
	for {
		found, answer, err := line.frame()
		if err != nil {
			return 0, err
		}
		if found == key|response && big.Uint32(answer) == line.correlation {
			return big.Uint16(answer[4:]), nil
		}
		if other != nil {
			other(found, answer)
		}
	}
}

func (line *rabbitLine) must(key uint16, body []byte) error {
	code, err := line.ask(key, body, nil)
	if err == nil && code != codeOK {
		err = fmt.Errorf("rabbitmq: request %d was answered with code %d", key, code)
	}
	return err
}

func (plan Plan) rabbitLine() (*rabbitLine, error) {
	socket, in, err := plan.dial()
	if err != nil {
		return nil, err
	}
	line := &rabbitLine{Conn: socket, in: in}
	if err = line.must(keyPeerProperties, big.AppendUint32(nil, 0)); err != nil {
		return nil, err
	}
	if err = line.must(keySaslHandshake, nil); err != nil {
		return nil, err
	}
	secret := "\x00guest\x00guest"
	login := append(big.AppendUint32(str(nil, "PLAIN"), uint32(len(secret))), secret...)
	if err = line.must(keySaslAuthenticate, login); err != nil {
		return nil, err
	}
	key, tune, err := line.frame()
	if err != nil || key != keyTune {
		return nil, fmt.Errorf("rabbitmq: no tune frame: %d, %v", key, err)
	}
	// Its frame size, and no heartbeats.
	if err = line.send(keyTune, append(tune[:4:4], 0, 0, 0, 0)); err != nil {
		return nil, err
	}
	return line, line.must(keyOpen, str(nil, "/"))
}

func (rabbitmq) Make(plan Plan, stream string) error {
	line, err := plan.rabbitLine()
	if err != nil {
		return err
	}
	defer line.Close()
	body := big.AppendUint32(str(nil, stream), 2)
	for _, argument := range [][2]string{
		{"max-length-bytes", strconv.FormatInt(plan.held, 10)},
		{"stream-max-segment-size-bytes", strconv.FormatInt(min(plan.held, 500_000_000), 10)},
	} {
		body = str(str(body, argument[0]), argument[1])
	}
	code, err := line.ask(keyCreate, body, nil)
	if err == nil && code != codeOK && code != codeExists {
		err = fmt.Errorf("rabbitmq: the stream cannot be made: code %d", code)
	}
	return err
}

// Holds is where the last chunk ends: it is asked for as a reader would.
func (rabbitmq) Holds(plan Plan, stream string) (uint64, error) {
	line, err := plan.rabbitLine()
	if err != nil {
		return 0, err
	}
	defer line.Close()
	body := append(str([]byte{1}, stream), 0, fromLast)
	body = big.AppendUint32(big.AppendUint16(body, 1), 0)
	end, delivered := uint64(0), false
	other := func(key uint16, body []byte) {
		if key == keyDeliver {
			chunk := body[1:]
			end = big.Uint64(chunk[chunkOffsetAt:]) + uint64(big.Uint32(chunk[chunkRecordsAt:]))
			delivered = true
		}
	}
	if code, err := line.ask(keySubscribe, body, other); err != nil || code != codeOK {
		return 0, fmt.Errorf("rabbitmq: subscribe: code %d, %v", code, err)
	}
	_ = line.SetReadDeadline(time.Now().Add(emptyAfter))
	for !delivered {
		key, body, err := line.frame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		other(key, body)
	}
	return end, nil
}

func (rabbitmq) Open(plan Plan, stream string) (Speaker, error) {
	line, err := plan.rabbitLine()
	if err != nil {
		return nil, err
	}
	if err = line.must(keyDeclarePublisher, str(str([]byte{1}, ""), stream)); err != nil {
		return nil, err
	}
	line.unit = rabbitUnit(plan)
	return line, nil
}

// rabbitUnit is a Publish frame. A record is an AMQP 1.0 message with one data section, as every client writes it.
func rabbitUnit(plan Plan) []byte {
	var records []byte
	for number := 0; number < plan.records; number++ {
		message := big.AppendUint32([]byte{0, 0x53, 0x75, 0xb0}, uint32(plan.recordBytes))
		message = append(message, noise(plan.recordBytes, int64(number))...)
		records = append(big.AppendUint32(records, uint32(len(message))), message...)
	}
	frame := []byte{0, 0, 0, 0, 0, keyPublish, 0, 1, 1}
	frame = big.AppendUint64(big.AppendUint32(frame, 1), 0)
	if plan.records > 1 {
		frame = big.AppendUint16(append(frame, entryOfMany), uint16(plan.records))
		frame = big.AppendUint32(big.AppendUint32(frame, uint32(len(records))), uint32(len(records)))
	}
	frame = append(frame, records...)
	big.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

func (line *rabbitLine) Unit(number uint64) []byte {
	big.PutUint64(line.unit[publishingIDAt:], number)
	return line.unit
}

func (line *rabbitLine) PerUnit() int { return 1 }

func (line *rabbitLine) Hear() (int, error) {
	for {
		key, body, err := line.frame()
		switch {
		case err != nil:
			return 0, err
		case key == keyConfirm:
			return int(big.Uint32(body[1:])), nil
		case key == keyPublishError:
			return 0, fmt.Errorf("rabbitmq: a publish was refused: %x", body)
		}
	}
}
