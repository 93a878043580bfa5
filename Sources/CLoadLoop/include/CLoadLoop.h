#ifndef CLOADLOOP_H
#define CLOADLOOP_H

#include <stddef.h>
#include <stdint.h>

// Many client sockets on one epoll descriptor, for a load tool that must cost less than the server it loads: one
// system call for what a socket has received, no copy of whole frames, nothing kept for an idle connection but its
// slot. IPv4 loopback only. Not thread-safe.
typedef struct load_loop load_loop;

enum load_event_kind {
    // The TCP connection stands.
    LOAD_OPENED = 1,
    // One HTTP response, head and body; value is its status. After a 101 the connection speaks WebSocket.
    LOAD_RESPONSE = 2,
    // One WebSocket message, text or binary.
    LOAD_MESSAGE = 3,
    // Bytes of an adopted descriptor, cut anywhere.
    LOAD_BYTES = 4,
    // The connection is gone and its slot free: value is the close code told, 0 for a bare end, -errno for a failure
    // (-EPROTO: the peer sent what is no HTTP or no unfragmented, unmasked frame of up to 1 MiB).
    LOAD_CLOSED = 5,
};

typedef struct load_event {
    // As given when the connection was made.
    uint64_t tag;
    // CLOCK_MONOTONIC in nanoseconds, read once for each read of a socket.
    uint64_t received;
    const uint8_t *bytes;
    uint32_t count;
    uint32_t slot;
    uint32_t kind;
    int32_t value;
} load_event;

// Returns NULL when memory or descriptors are out.
load_loop *load_loop_create(void);
// Closes every connection, with a reset.
void load_loop_free(load_loop *loop);

// Begins a connection; addresses are in host order, a source of 0 leaves it to the system. Returns its slot, which
// serves until LOAD_CLOSED or load_loop_close, or -errno.
int64_t load_loop_connect(load_loop *loop, uint64_t tag, uint32_t address, uint16_t port, uint32_t source);

// Watches a readable descriptor, which the loop then owns. Returns its slot, or -errno.
int64_t load_loop_adopt(load_loop *loop, uint64_t tag, int descriptor);

// Sends, or queues up to 4 MiB of what the socket does not take. Returns 0 or -errno; a broken connection is told by
// the next poll.
int load_loop_send(load_loop *loop, uint32_t slot, const void *bytes, size_t count);

// Closes without an event; reset leaves no TIME_WAIT behind.
void load_loop_close(load_loop *loop, uint32_t slot, int reset);

// Waits up to nanoseconds for something to happen and hands out what did. The events and their bytes are valid until
// the next call with the same loop. Pings are answered here. Returns the number of events, or -errno.
int64_t load_loop_poll(load_loop *loop, uint64_t nanoseconds, const load_event **events);

// CLOCK_MONOTONIC in nanoseconds: the same for all processes of a machine.
uint64_t load_now(void);

// Where text first stands in bytes; count where it does not. The C library's own search, which is out of Swift's sight.
size_t load_find(const void *bytes, size_t count, const void *text, size_t text_count);

// The yardstick: a WebSocket server that does nothing but write one frame to each member of a room. Opens a listener
// on 127.0.0.1 and says its port; returns the descriptor, or -errno.
int load_floor_listen(uint16_t *port);

// Serves `/ws?room=N` (a member, that hears) and `/publish` (each text message: seven digits of a room, then the text
// to tell) until lifeline can be read or its other end is closed; closes the listener. Single-threaded, and meant for
// this tool alone: it takes well-behaved peers for granted and drops one that reads too slowly. Returns 0 or -errno.
int load_floor_serve(int listener, int lifeline);

#endif
