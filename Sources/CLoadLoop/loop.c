#define _GNU_SOURCE
#include "CLoadLoop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_FRAME = 1 << 20,
    MAX_QUEUED = 4 << 20,
    MAX_HEAD = 16 * 1024,
    // What one read may bring; the kernel has rarely more for one socket.
    READ = 64 * 1024,
    // Holds a turn's reads: a kept-back piece and a read fit into it whatever came before.
    ARENA = 4 << 20,
    READY = 512,
};

enum mode { FREE, CONNECTING, HTTP, FRAMES, RAW };

typedef struct connection {
    uint64_t tag;
    // The beginning of a frame or response whose rest has not come.
    uint8_t *kept;
    uint8_t *queued;
    uint32_t kept_count;
    uint32_t queued_count;
    uint32_t next_free;
    int descriptor;
    int32_t close_code;
    uint8_t mode;
    uint8_t wants_out;
} connection;

struct load_loop {
    int epoll;
    connection *connections;
    uint32_t count;
    uint32_t capacity;
    uint32_t first_free;
    load_event *events;
    size_t event_count;
    size_t event_capacity;
    uint8_t *arena;
    size_t arena_used;
    // What epoll said and did not fit into the last turn.
    struct epoll_event ready[READY];
    int ready_count;
    int ready_next;
    uint64_t random;
    int out_of_memory;
};

static const uint32_t none = UINT32_MAX;

uint64_t load_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

size_t load_find(const void *bytes, size_t count, const void *text, size_t text_count) {
    const char *found = count == 0 ? NULL : memmem(bytes, count, text, text_count);
    return found == NULL ? count : (size_t)(found - (const char *)bytes);
}

load_loop *load_loop_create(void) {
    load_loop *self = calloc(1, sizeof *self);
    if (self == NULL) return NULL;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->arena = malloc(ARENA);
    self->first_free = none;
    self->random = load_now() | 1;
    if (self->epoll < 0 || self->arena == NULL) {
        load_loop_free(self);
        return NULL;
    }
    return self;
}

void load_loop_free(load_loop *self) {
    for (uint32_t slot = 0; slot < self->count; slot++) load_loop_close(self, slot, 1);
    if (self->epoll >= 0) close(self->epoll);
    free(self->connections);
    free(self->events);
    free(self->arena);
    free(self);
}

static int64_t take_slot(load_loop *self) {
    if (self->first_free != none) {
        uint32_t slot = self->first_free;
        self->first_free = self->connections[slot].next_free;
        return slot;
    }
    if (self->count == self->capacity) {
        uint32_t capacity = self->capacity == 0 ? 256 : self->capacity * 2;
        connection *larger = realloc(self->connections, capacity * sizeof *larger);
        if (larger == NULL) return -ENOMEM;
        self->connections = larger;
        self->capacity = capacity;
    }
    return self->count++;
}

static void release_slot(load_loop *self, uint32_t slot) {
    connection *it = &self->connections[slot];
    if (it->descriptor >= 0) {
        // A child that is being started holds a copy for a moment, for which epoll would go on telling of this slot.
        epoll_ctl(self->epoll, EPOLL_CTL_DEL, it->descriptor, NULL);
        close(it->descriptor);
    }
    free(it->kept);
    free(it->queued);
    *it = (connection){.descriptor = -1, .mode = FREE, .next_free = self->first_free};
    self->first_free = slot;
    // The slot may be taken anew before what epoll said of the old connection is looked at.
    for (int index = self->ready_next; index < self->ready_count; index++) {
        if (self->ready[index].data.u32 == slot) self->ready[index].events = 0;
    }
}

static int64_t watch(load_loop *self, uint64_t tag, int descriptor, enum mode mode) {
    int64_t slot = take_slot(self);
    if (slot < 0) return slot;
    self->connections[slot] = (connection){.tag = tag, .descriptor = descriptor, .mode = (uint8_t)mode};
    self->connections[slot].wants_out = mode == CONNECTING;
    struct epoll_event interest = {.events = EPOLLIN, .data.u32 = (uint32_t)slot};
    if (mode == CONNECTING) interest.events |= EPOLLOUT;
    if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, descriptor, &interest) == 0) return slot;
    int failure = -errno;
    self->connections[slot].descriptor = -1;
    release_slot(self, (uint32_t)slot);
    return failure;
}

int64_t load_loop_connect(load_loop *self, uint64_t tag, uint32_t address, uint16_t port, uint32_t source) {
    if (address >> 24 != 127) return -EADDRNOTAVAIL;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    int on = 1;
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // With the port left to connect(), each source address has all ports anew for each target.
    setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    int64_t result = 0;
    if (source != 0 && bind(descriptor, (struct sockaddr *)&own, sizeof own) != 0) result = -errno;
    if (result == 0 && connect(descriptor, (struct sockaddr *)&peer, sizeof peer) != 0 && errno != EINPROGRESS) {
        result = -errno;
    }
    if (result == 0) result = watch(self, tag, descriptor, CONNECTING);
    if (result < 0) close(descriptor);
    return result;
}

int64_t load_loop_adopt(load_loop *self, uint64_t tag, int descriptor) {
    return watch(self, tag, descriptor, RAW);
}

void load_loop_close(load_loop *self, uint32_t slot, int reset) {
    if (slot >= self->count || self->connections[slot].mode == FREE) return;
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    if (reset) setsockopt(self->connections[slot].descriptor, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    release_slot(self, slot);
}

// Adjusts what epoll looks for after the queue became empty or not.
static void follow_queue(load_loop *self, uint32_t slot) {
    connection *it = &self->connections[slot];
    uint8_t wants_out = it->queued_count > 0;
    if (it->wants_out == wants_out) return;
    it->wants_out = wants_out;
    struct epoll_event interest = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0u), .data.u32 = slot};
    epoll_ctl(self->epoll, EPOLL_CTL_MOD, it->descriptor, &interest);
}

int load_loop_send(load_loop *self, uint32_t slot, const void *bytes, size_t count) {
    if (slot >= self->count) return -ENOTCONN;
    connection *it = &self->connections[slot];
    if (it->mode != HTTP && it->mode != FRAMES) return -ENOTCONN;
    size_t sent = 0;
    if (it->queued_count == 0) {
        ssize_t written = send(it->descriptor, bytes, count, MSG_NOSIGNAL);
        if (written < 0 && errno != EAGAIN && errno != EINTR) return -errno;
        if (written > 0) sent = (size_t)written;
    }
    size_t rest = count - sent;
    if (rest == 0) return 0;
    if (it->queued_count + rest > MAX_QUEUED) return -ENOBUFS;
    uint8_t *larger = realloc(it->queued, it->queued_count + rest);
    if (larger == NULL) return -ENOMEM;
    memcpy(larger + it->queued_count, (const uint8_t *)bytes + sent, rest);
    it->queued = larger;
    it->queued_count += (uint32_t)rest;
    follow_queue(self, slot);
    return 0;
}

static void send_queued(load_loop *self, uint32_t slot) {
    connection *it = &self->connections[slot];
    ssize_t written = send(it->descriptor, it->queued, it->queued_count, MSG_NOSIGNAL);
    if (written <= 0) return;
    it->queued_count -= (uint32_t)written;
    memmove(it->queued, it->queued + written, it->queued_count);
    if (it->queued_count == 0) {
        free(it->queued);
        it->queued = NULL;
    }
    follow_queue(self, slot);
}

static void tell(load_loop *self, load_event event) {
    if (self->event_count == self->event_capacity) {
        size_t capacity = self->event_capacity == 0 ? 1024 : self->event_capacity * 2;
        load_event *larger = realloc(self->events, capacity * sizeof *larger);
        if (larger == NULL) {
            self->out_of_memory = 1;
            return;
        }
        self->events = larger;
        self->event_capacity = capacity;
    }
    self->events[self->event_count++] = event;
}

static void tell_closed(load_loop *self, uint32_t slot, int32_t value) {
    tell(self, (load_event){
                   .tag = self->connections[slot].tag, .received = load_now(), .slot = slot, .kind = LOAD_CLOSED,
                   .value = value});
    release_slot(self, slot);
}

// Answers a ping, with a key that need not be unpredictable on loopback.
static void pong(load_loop *self, uint32_t slot, const uint8_t *payload, size_t count) {
    uint8_t frame[6 + 125] = {0x8A, (uint8_t)(0x80 | count)};
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    memcpy(frame + 2, &self->random, 4);
    for (size_t index = 0; index < count; index++) frame[6 + index] = payload[index] ^ frame[2 + index % 4];
    load_loop_send(self, slot, frame, 6 + count);
}

// Takes one frame from the front. Returns its size, 0 when it is not all there, -1 when it breaks the rules.
static int64_t take_frame(load_loop *self, uint32_t slot, const uint8_t *bytes, size_t count, uint64_t now) {
    if (count < 2) return 0;
    uint64_t length = bytes[1] & 0x7F;
    size_t header = length == 126 ? 4 : length == 127 ? 10 : 2;
    // A server neither masks nor, to this client, fragments or sets reserved bits.
    if ((bytes[0] & 0xF0) != 0x80 || (bytes[1] & 0x80) != 0) return -1;
    if (count < header) return 0;
    if (header > 2) {
        length = 0;
        for (size_t index = 2; index < header; index++) length = length << 8 | bytes[index];
    }
    if (length > MAX_FRAME) return -1;
    if (count - header < length) return 0;
    const uint8_t *payload = bytes + header;
    connection *it = &self->connections[slot];
    switch (bytes[0] & 0x0F) {
        case 1:
        case 2:
            tell(self, (load_event){
                           .tag = it->tag, .received = now, .bytes = payload, .count = (uint32_t)length, .slot = slot,
                           .kind = LOAD_MESSAGE});
            break;
        case 8:
            it->close_code = length >= 2 ? payload[0] << 8 | payload[1] : 1005;
            break;
        case 9:
            if (length > 125) return -1;
            pong(self, slot, payload, length);
            break;
        case 10: break;
        default: return -1;
    }
    return (int64_t)(header + length);
}

// The length of the body that this head announces, or -1 where it has no plain Content-Length.
static int64_t body_length(const char *head, size_t count) {
    static const char name[] = "\r\ncontent-length:";
    size_t size = sizeof name - 1;
    for (size_t at = 0; at + size < count; at++) {
        if (head[at] != '\r' || strncasecmp(head + at, name, size) != 0) continue;
        int64_t length = 0;
        for (at += size; at < count && head[at] == ' '; at++) {}
        for (; at < count && head[at] >= '0' && head[at] <= '9'; at++) {
            length = length * 10 + (head[at] - '0');
            if (length > MAX_FRAME) return -1;
        }
        return length;
    }
    return -1;
}

// The same for an HTTP response.
static int64_t take_response(load_loop *self, uint32_t slot, const uint8_t *bytes, size_t count, uint64_t now) {
    connection *it = &self->connections[slot];
    const uint8_t *end = memmem(bytes, count, "\r\n\r\n", 4);
    if (end == NULL) return count > MAX_HEAD ? -1 : 0;
    size_t head = (size_t)(end - bytes) + 4;
    if (head < 16 || memcmp(bytes, "HTTP/1.1 ", 9) != 0) return -1;
    int32_t status = (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0');
    int64_t body = status == 101 ? 0 : body_length((const char *)bytes, head);
    if (body < 0) return -1;
    size_t size = head + (size_t)body;
    if (count < size) return 0;
    if (status == 101) it->mode = FRAMES;
    tell(self, (load_event){
                   .tag = it->tag, .received = now, .bytes = bytes, .count = (uint32_t)size, .slot = slot,
                   .kind = LOAD_RESPONSE, .value = status});
    return (int64_t)size;
}

static int64_t take_one(load_loop *self, uint32_t slot, const uint8_t *bytes, size_t count, uint64_t now) {
    connection *it = &self->connections[slot];
    if (it->mode == FRAMES) return take_frame(self, slot, bytes, count, now);
    if (it->mode == HTTP) return take_response(self, slot, bytes, count, now);
    tell(self, (load_event){
                   .tag = it->tag, .received = now, .bytes = bytes, .count = (uint32_t)count, .slot = slot,
                   .kind = LOAD_BYTES});
    return (int64_t)count;
}

// Reads once and takes apart what is there; what is not whole is kept for the next read.
static void read_some(load_loop *self, uint32_t slot) {
    connection *it = &self->connections[slot];
    uint8_t *start = self->arena + self->arena_used;
    size_t count = it->kept_count;
    if (count > 0) memcpy(start, it->kept, count);
    // recv() spares a socket the work of the general read().
    ssize_t got = it->mode == RAW ? read(it->descriptor, start + count, READ)
                                  : recv(it->descriptor, start + count, READ, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        int32_t failure = got < 0 ? -errno : 0;
        tell_closed(self, slot, it->close_code != 0 ? it->close_code : failure);
        return;
    }
    count += (size_t)got;
    self->arena_used += count;
    uint64_t now = load_now();
    size_t used = 0;
    while (used < count && it->close_code == 0) {
        int64_t taken = take_one(self, slot, start + used, count - used, now);
        if (taken < 0) {
            tell_closed(self, slot, -EPROTO);
            return;
        }
        if (taken == 0) break;
        used += (size_t)taken;
    }
    if (it->close_code != 0) {
        tell_closed(self, slot, it->close_code);
        return;
    }
    size_t rest = count - used;
    if (rest > 0) {
        uint8_t *kept = realloc(it->kept, rest);
        if (kept == NULL) {
            self->out_of_memory = 1;
            return;
        }
        memcpy(kept, start + used, rest);
        it->kept = kept;
    } else if (it->kept != NULL) {
        free(it->kept);
        it->kept = NULL;
    }
    it->kept_count = (uint32_t)rest;
}

static void finish_connecting(load_loop *self, uint32_t slot) {
    connection *it = &self->connections[slot];
    int failure = 0;
    socklen_t size = sizeof failure;
    if (getsockopt(it->descriptor, SOL_SOCKET, SO_ERROR, &failure, &size) != 0) failure = errno;
    if (failure != 0) {
        tell_closed(self, slot, -failure);
        return;
    }
    it->mode = HTTP;
    follow_queue(self, slot);
    tell(self, (load_event){.tag = it->tag, .received = load_now(), .slot = slot, .kind = LOAD_OPENED});
}

static int wait_ready(load_loop *self, uint64_t nanoseconds) {
    struct timespec limit = {
        .tv_sec = (time_t)(nanoseconds / 1000000000u), .tv_nsec = (long)(nanoseconds % 1000000000u)};
    int count = epoll_pwait2(self->epoll, self->ready, READY, &limit, NULL);
    // Kernels before 5.11 know milliseconds only; rounding up never spins.
    if (count < 0 && errno == ENOSYS) {
        uint64_t milliseconds = (nanoseconds + 999999u) / 1000000u;
        count = epoll_wait(self->epoll, self->ready, READY, milliseconds > 60000 ? 60000 : (int)milliseconds);
    }
    return count;
}

int64_t load_loop_poll(load_loop *self, uint64_t nanoseconds, const load_event **events) {
    self->event_count = 0;
    self->arena_used = 0;
    if (self->ready_next == self->ready_count) {
        self->ready_next = 0;
        self->ready_count = 0;
        int count = wait_ready(self, nanoseconds);
        if (count < 0 && errno != EINTR) return -errno;
        self->ready_count = count < 0 ? 0 : count;
    }
    while (self->ready_next < self->ready_count) {
        struct epoll_event ready = self->ready[self->ready_next];
        uint32_t slot = ready.data.u32;
        if (ready.events != 0 && self->arena_used + self->connections[slot].kept_count + READ > ARENA) break;
        self->ready_next++;
        if (ready.events == 0 || self->connections[slot].mode == FREE) continue;
        if (self->connections[slot].mode == CONNECTING) {
            finish_connecting(self, slot);
            continue;
        }
        if (ready.events & EPOLLOUT) send_queued(self, slot);
        if (ready.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_some(self, slot);
    }
    *events = self->events;
    return self->out_of_memory ? -ENOMEM : (int64_t)self->event_count;
}
