#include "CRespReader.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if HIREDIS_MAJOR >= 1
typedef size_t resp_element_count;
#else
typedef int resp_element_count;
#endif

enum {
    // hiredis 0.14 nests no deeper, 1.x would without an end.
    MAX_DEPTH = 7,
    // hiredis moves what is left in its buffer after each KiB that it has used up: small pieces keep that cheap.
    PIECE = 4096,
    // A line (anything but the body of a bulk string) is shorter than this.
    MAX_LINE = 64 * 1024,
    // What is kept allocated between two replies.
    MAX_IDLE_BYTES = 256 * 1024,
};

struct resp_reader {
    redisReader *hiredis;
    size_t max_bytes;
    resp_node *nodes;
    size_t node_count;
    size_t node_capacity;
    uint8_t *bytes;
    size_t byte_count;
    size_t byte_capacity;
    const char *input;
    size_t input_count;
    int handed_out;
    char error[160];
};

// hiredis takes NULL for "out of memory", and a task's object is how its children find their places: so an object
// is the index of its first child plus one, and this stands for everything after a failure.
static void *const nothing = (void *)1;

static void fail(resp_reader *self, const char *why) {
    if (self->error[0] == '\0') snprintf(self->error, sizeof self->error, "%s", why);
}

static int fits(const resp_reader *self, size_t more_nodes, size_t more_bytes) {
    size_t used = self->node_count * sizeof(resp_node) + self->byte_count;
    if (used > self->max_bytes) return 0;
    size_t left = self->max_bytes - used;
    return more_bytes <= left && more_nodes <= (left - more_bytes) / sizeof(resp_node);
}

// Makes room for count more nodes and returns the first one's index, or -1.
static int64_t reserve_nodes(resp_reader *self, size_t count) {
    if (!fits(self, count, 0)) {
        fail(self, "the reply is larger than allowed");
        return -1;
    }
    size_t needed = self->node_count + count;
    if (needed > self->node_capacity) {
        size_t capacity = self->node_capacity < 64 ? 64 : self->node_capacity * 2;
        if (capacity < needed) capacity = needed;
        resp_node *grown = realloc(self->nodes, capacity * sizeof(resp_node));
        if (grown == NULL) {
            fail(self, "out of memory");
            return -1;
        }
        self->nodes = grown;
        self->node_capacity = capacity;
    }
    int64_t first = (int64_t)self->node_count;
    self->node_count = needed;
    return first;
}

// The place of the value that hiredis has just read, or NULL after a failure.
static resp_node *place(resp_reader *self, const redisReadTask *task) {
    if (self->error[0] != '\0') return NULL;
    int64_t index;
    if (task->parent == NULL) {
        index = reserve_nodes(self, 1);
    } else {
        index = (int64_t)(intptr_t)task->parent->obj - 1 + task->idx;
    }
    if (index < 0 || (size_t)index >= self->node_count) {
        fail(self, "the reply is malformed");
        return NULL;
    }
    return &self->nodes[index];
}

static void *put_bytes(const redisReadTask *task, uint32_t type, const char *bytes, size_t count) {
    resp_reader *self = task->privdata;
    resp_node *node = place(self, task);
    if (node == NULL) return nothing;
    if (!fits(self, 0, count)) {
        fail(self, "the reply is larger than allowed");
        return nothing;
    }
    if (self->byte_count + count > self->byte_capacity) {
        size_t capacity = self->byte_capacity < 1024 ? 1024 : self->byte_capacity * 2;
        if (capacity < self->byte_count + count) capacity = self->byte_count + count;
        uint8_t *grown = realloc(self->bytes, capacity);
        if (grown == NULL) {
            fail(self, "out of memory");
            return nothing;
        }
        self->bytes = grown;
        self->byte_capacity = capacity;
    }
    if (count > 0) memcpy(self->bytes + self->byte_count, bytes, count);
    node->type = type;
    node->count = (uint32_t)count;
    node->value = (int64_t)self->byte_count;
    self->byte_count += count;
    return nothing;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t count) {
    resp_reader *self = task->privdata;
    if (self->error[0] != '\0') return nothing;
    // hiredis adds up lengths that may overflow and does not look at what ends a bulk string.
    const redisReader *hiredis = self->hiredis;
    size_t offset = (size_t)(bytes - hiredis->buf);
    if (offset > hiredis->len || count > hiredis->len - offset) {
        fail(self, "the length of a bulk string is out of range");
        return nothing;
    }
    if (task->type == REDIS_REPLY_STRING) {
        if (hiredis->len - offset - count < 2 || bytes[count] != '\r' || bytes[count + 1] != '\n') {
            fail(self, "a bulk string is longer than it says");
            return nothing;
        }
        return put_bytes(task, RESP_STRING, bytes, count);
    }
    if (task->type == REDIS_REPLY_STATUS) return put_bytes(task, RESP_STATUS, bytes, count);
    if (task->type == REDIS_REPLY_ERROR) return put_bytes(task, RESP_ERROR, bytes, count);
    return put_bytes(task, RESP_STRING, bytes, count);
}

static void *create_array(const redisReadTask *task, resp_element_count elements) {
    resp_reader *self = task->privdata;
    resp_node *node = place(self, task);
    if (node == NULL) return nothing;
    int depth = 0;
    for (const redisReadTask *above = task->parent; above != NULL; above = above->parent) depth++;
    if (depth > MAX_DEPTH) {
        fail(self, "the reply is nested too deeply");
        return nothing;
    }
    size_t index = (size_t)(node - self->nodes);
    int64_t first = reserve_nodes(self, (size_t)elements);
    if (first < 0) return nothing;
    self->nodes[index] = (resp_node){.type = RESP_ARRAY, .count = (uint32_t)elements, .value = first};
    return (void *)(intptr_t)(first + 1);
}

static void *create_integer(const redisReadTask *task, long long value) {
    resp_node *node = place(task->privdata, task);
    if (node != NULL) *node = (resp_node){.type = RESP_INTEGER, .count = 0, .value = value};
    return nothing;
}

static void *create_null(const redisReadTask *task) {
    resp_node *node = place(task->privdata, task);
    if (node != NULL) *node = (resp_node){.type = RESP_NULL, .count = 0, .value = 0};
    return nothing;
}

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double value, char *text, size_t count) {
    (void)value;
    return put_bytes(task, RESP_STRING, text, count);
}

static void *create_bool(const redisReadTask *task, int value) { return create_integer(task, value != 0); }
#endif

static void free_object(void *object) { (void)object; }

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .createNil = create_null,
    .freeObject = free_object,
};

resp_reader *resp_reader_create(size_t max_bytes) {
    const size_t gigabyte = (size_t)1 << 30;
    resp_reader *self = calloc(1, sizeof *self);
    if (self == NULL) return NULL;
    self->hiredis = redisReaderCreateWithFunctions(&functions);
    if (self->hiredis == NULL) {
        free(self);
        return NULL;
    }
    self->hiredis->privdata = self;
    self->max_bytes = max_bytes < gigabyte ? max_bytes : gigabyte;
    return self;
}

void resp_reader_free(resp_reader *self) {
    redisReaderFree(self->hiredis);
    free(self->nodes);
    free(self->bytes);
    free(self);
}

void resp_reader_feed(resp_reader *self, const void *bytes, size_t count) {
    self->input = bytes;
    self->input_count = count;
}

static void forget_reply(resp_reader *self) {
    self->handed_out = 0;
    self->node_count = 0;
    self->byte_count = 0;
    if (self->node_capacity > MAX_IDLE_BYTES / sizeof(resp_node)) {
        free(self->nodes);
        self->nodes = NULL;
        self->node_capacity = 0;
    }
    if (self->byte_capacity > MAX_IDLE_BYTES) {
        free(self->bytes);
        self->bytes = NULL;
        self->byte_capacity = 0;
    }
}

// The type of the value that hiredis is in the middle of, its first byte being used up; -1 between replies.
static int current_type(const redisReader *hiredis) {
    if (hiredis->ridx < 0) return -1;
#if HIREDIS_MAJOR >= 1
    return hiredis->task[hiredis->ridx]->type;
#else
    return hiredis->rstack[hiredis->ridx].type;
#endif
}

// What hiredis holds and cannot read yet is either a bulk string that fits, or a short line.
static void check_unread(resp_reader *self) {
    const redisReader *hiredis = self->hiredis;
    size_t unread = hiredis->len - hiredis->pos;
    if (unread == 0) return;
    const char *length = hiredis->buf + hiredis->pos;
    const char *end = memchr(length, '\r', unread < 32 ? unread : 32);
    if (current_type(hiredis) == REDIS_REPLY_STRING && end != NULL) {
        // Both lie in memory until the string is complete.
        if (!fits(self, 0, unread)) fail(self, "the reply is larger than allowed");
        unsigned long long count = 0;
        for (const char *digit = length; digit < end && *digit >= '0' && *digit <= '9'; digit++) {
            count = count * 10 + (unsigned long long)(*digit - '0');
            if (count > self->max_bytes) break;
        }
        if (!fits(self, 0, (size_t)count)) fail(self, "the reply is larger than allowed");
    } else if (unread > MAX_LINE) {
        fail(self, "a line is longer than allowed");
    }
}

int resp_reader_next(resp_reader *self, resp_reply *reply) {
    if (self->handed_out) forget_reply(self);
    while (self->error[0] == '\0') {
        void *object = NULL;
        if (redisReaderGetReply(self->hiredis, &object) != REDIS_OK) fail(self, self->hiredis->errstr);
        if (self->error[0] != '\0') break;
        if (object != NULL) {
            *reply = (resp_reply){self->nodes, self->node_count, self->bytes, self->byte_count};
            self->handed_out = 1;
            return 1;
        }
        check_unread(self);
        if (self->input_count == 0) return self->error[0] == '\0' ? 0 : -1;
        size_t piece = self->input_count < PIECE ? self->input_count : PIECE;
        if (redisReaderFeed(self->hiredis, self->input, piece) != REDIS_OK) fail(self, self->hiredis->errstr);
        self->input += piece;
        self->input_count -= piece;
    }
    self->input_count = 0;
    return -1;
}

const char *resp_reader_error(const resp_reader *self) { return self->error; }
