/* What the C client program has in common with all others: names, records, step lines, event file and pace.
 * The driver sets the environment; step lines go to standard output, one JSON object each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { CODECS = 5 };
extern const char *const codec_names[CODECS];
extern const char *broker, *prefix;
extern int records, partitions;

void scenario_init(void);
const char *topic_of(const char *codec); /* valid until the end of the program */
void make_key(char *out, int i);
void make_value(char *out, const char *codec, int i);
enum { KEY_SIZE = 16, VALUE_SIZE = 256 };

/* A step returns true when it went well and leaves a note in either case. */
typedef bool step_fn(char *note, int size, void *with);
bool run_step(const char *name, step_fn *work, void *with);
void settle(void); /* real Kafka answers before all is in effect; the driver says how long to wait */
bool await_truth(bool (*truth)(void *), void *with); /* false when 120 s have passed */

void pace_open(void);
void pace_up_to(double share);
bool pace_reached(double share);
bool pace_has_read(const char *member);
void pace_read(const char *member, const char *topic, int partition, int64_t offset, const char *key, int key_size,
               const char *value, int value_size);
void pace_committed(const char *member, const char *topic, int partition, int64_t offset);
void pace_left(const char *member);
void pace_close(void);
