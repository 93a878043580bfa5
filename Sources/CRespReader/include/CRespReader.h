#ifndef CRESPREADER_H
#define CRESPREADER_H

#include <stddef.h>
#include <stdint.h>

// hiredis's reply reader with object functions that lay a reply out flat: one array of nodes and one arena of bytes
// for the whole reply, both reused by the next one. No tree, no allocation for each node. Not thread-safe.
typedef struct resp_reader resp_reader;

enum resp_type {
    RESP_STRING = 1,
    RESP_ARRAY = 2,
    RESP_INTEGER = 3,
    RESP_NULL = 4,
    RESP_STATUS = 5,
    RESP_ERROR = 6,
};

// One value. The children of an array lie next to each other, so child i of a node is nodes[value + i].
typedef struct resp_node {
    // One of RESP_…; what RESP3 adds is told as its nearest relative.
    uint32_t type;
    // Bytes of a string, status or error; elements of an array.
    uint32_t count;
    // The integer; the offset of the bytes in the arena; the index of an array's first child.
    int64_t value;
} resp_node;

// A whole reply, nodes[0] being its root. Valid until the next call with the same reader.
typedef struct resp_reply {
    const resp_node *nodes;
    size_t node_count;
    const uint8_t *bytes;
    size_t byte_count;
} resp_reply;

// A reply may take up to max_bytes of memory, at most 1 GiB. Returns NULL when memory is out.
resp_reader *resp_reader_create(size_t max_bytes);
void resp_reader_free(resp_reader *reader);

// Gives the reader bytes from the peer. They are read by resp_reader_next and must stay in place until it returns
// anything but 1.
void resp_reader_feed(resp_reader *reader, const void *bytes, size_t count);

// Returns 1 with a reply, 0 when all bytes are used up and none is complete, and -1, now and for ever, after a
// violation of the protocol or of the limits.
int resp_reader_next(resp_reader *reader, resp_reply *reply);

// What was wrong after -1, with at most one byte of the peer's data in it.
const char *resp_reader_error(const resp_reader *reader);

#endif
