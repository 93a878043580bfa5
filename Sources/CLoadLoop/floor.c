#define _GNU_SOURCE
#include "CLoadLoop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    INPUT = 256 * 1024,
    MAX_ROOMS = 1000000,
    ROOM_DIGITS = 7,
    READY = 256,
};

// The answer to the key of RFC 6455's own example (section 1.3), which is the one this tool's clients send.
static const char accepted[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

typedef struct room {
    int *members;
    uint32_t count;
    uint32_t capacity;
} room;

// One connection, found by its descriptor. Only publishers have a buffer.
typedef struct peer {
    uint8_t *input;
    uint32_t input_count;
    int32_t room;
    uint8_t is_open;
} peer;

typedef struct server {
    int epoll;
    room *rooms;
    uint32_t room_count;
    peer *peers;
    int peer_count;
    // The one being written to a room.
    uint8_t *frame;
} server;

int load_floor_listen(uint16_t *port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    if (bind(descriptor, (struct sockaddr *)&own, size) != 0 || listen(descriptor, 4096) != 0 ||
        getsockname(descriptor, (struct sockaddr *)&own, &size) != 0) {
        int failure = -errno;
        close(descriptor);
        return failure;
    }
    *port = ntohs(own.sin_port);
    return descriptor;
}

static int enter(server *self, int descriptor, uint32_t number) {
    if (number >= MAX_ROOMS) return 0;
    if (number >= self->room_count) {
        uint32_t count = number * 2 + 16;
        room *larger = realloc(self->rooms, count * sizeof *larger);
        if (larger == NULL) return 0;
        memset(larger + self->room_count, 0, (count - self->room_count) * sizeof *larger);
        self->rooms = larger;
        self->room_count = count;
    }
    room *it = &self->rooms[number];
    if (it->count == it->capacity) {
        uint32_t capacity = it->capacity == 0 ? 16 : it->capacity * 2;
        int *larger = realloc(it->members, capacity * sizeof *larger);
        if (larger == NULL) return 0;
        it->members = larger;
        it->capacity = capacity;
    }
    it->members[it->count++] = descriptor;
    self->peers[descriptor].room = (int32_t)number;
    return 1;
}

static void drop(server *self, int descriptor) {
    peer *it = &self->peers[descriptor];
    if (it->room >= 0) {
        room *left = &self->rooms[it->room];
        for (uint32_t index = 0; index < left->count; index++) {
            if (left->members[index] != descriptor) continue;
            left->members[index] = left->members[--left->count];
            break;
        }
    }
    free(it->input);
    *it = (peer){.room = -1};
    // A child that is being started holds a copy for a moment, for which epoll would go on telling of this number.
    epoll_ctl(self->epoll, EPOLL_CTL_DEL, descriptor, NULL);
    close(descriptor);
}

static void take_new(server *self, int listener) {
    for (;;) {
        int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0) return;
        if (descriptor >= self->peer_count) {
            int count = descriptor * 2 + 64;
            peer *larger = realloc(self->peers, (size_t)count * sizeof *larger);
            if (larger == NULL) {
                close(descriptor);
                return;
            }
            memset(larger + self->peer_count, 0, (size_t)(count - self->peer_count) * sizeof *larger);
            self->peers = larger;
            self->peer_count = count;
        }
        self->peers[descriptor] = (peer){.room = -1};
        int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event interest = {.events = EPOLLIN, .data.fd = descriptor};
        if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, descriptor, &interest) != 0) close(descriptor);
    }
}

// The measured path: the frame is made once and written to each member.
static void tell_room(server *self, const uint8_t *text, size_t count) {
    uint32_t number = 0;
    for (int index = 0; index < ROOM_DIGITS; index++) number = number * 10 + (uint32_t)(text[index] - '0');
    if (number >= self->room_count) return;
    uint8_t *frame = self->frame;
    size_t length = count - ROOM_DIGITS;
    size_t header = length < 126 ? 2 : 4;
    frame[0] = 0x81;
    if (header == 2) {
        frame[1] = (uint8_t)length;
    } else {
        frame[1] = 126;
        frame[2] = (uint8_t)(length >> 8);
        frame[3] = (uint8_t)length;
    }
    memcpy(frame + header, text + ROOM_DIGITS, length);
    room *it = &self->rooms[number];
    size_t size = header + length;
    for (uint32_t index = 0; index < it->count; index++) {
        if (send(it->members[index], frame, size, MSG_NOSIGNAL) == (ssize_t)size) continue;
        // The next poll finds its end and drops it.
        shutdown(it->members[index], SHUT_RDWR);
    }
}

// Unmasks and tells every whole frame of a publisher. Returns 0 when the connection is to be dropped.
static int take_frames(server *self, peer *it) {
    uint8_t *bytes = it->input;
    size_t left = it->input_count;
    while (left >= 2) {
        size_t length = bytes[1] & 0x7F;
        size_t header = length == 126 ? 8 : 6;
        if ((bytes[0] & 0x0F) == 8 || (bytes[1] & 0x80) == 0 || length == 127) return 0;
        if (left < header) break;
        if (length == 126) length = (size_t)bytes[2] << 8 | bytes[3];
        if (left < header + length) break;
        uint8_t *payload = bytes + header;
        const uint8_t *key = payload - 4;
        for (size_t index = 0; index < length; index++) payload[index] ^= key[index & 3];
        if ((bytes[0] & 0x0F) == 1 && length > ROOM_DIGITS) tell_room(self, payload, length);
        bytes += header + length;
        left -= header + length;
    }
    memmove(it->input, bytes, left);
    it->input_count = (uint32_t)left;
    return 1;
}

// Reads a request or frames. Returns 0 when the connection is to be dropped.
static int take_input(server *self, int descriptor) {
    peer *it = &self->peers[descriptor];
    if (it->is_open && it->input == NULL) {
        uint8_t ignored[4096];
        ssize_t got = read(descriptor, ignored, sizeof ignored);
        return got > 0 || (got < 0 && errno == EAGAIN);
    }
    if (it->is_open) {
        ssize_t got = read(descriptor, it->input + it->input_count, INPUT - it->input_count);
        if (got <= 0) return got < 0 && errno == EAGAIN;
        it->input_count += (uint32_t)got;
        return take_frames(self, it);
    }
    char request[2048];
    ssize_t got = read(descriptor, request, sizeof request - 1);
    if (got < 5) return got < 0 && errno == EAGAIN;
    request[got] = '\0';
    if (strstr(request, "\r\n\r\n") == NULL) return 0;
    unsigned number = 0;
    if (strncmp(request, "GET /publish ", 13) == 0) {
        it->input = malloc(INPUT);
        if (it->input == NULL) return 0;
    } else if (sscanf(request, "GET /ws?room=%7u", &number) != 1 || !enter(self, descriptor, number)) {
        return 0;
    }
    it->is_open = 1;
    return send(descriptor, accepted, sizeof accepted - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof accepted - 1);
}

int load_floor_serve(int listener, int lifeline) {
    server self = {.epoll = epoll_create1(EPOLL_CLOEXEC), .frame = malloc(4 + INPUT)};
    int result = self.epoll < 0 ? -errno : self.frame == NULL ? -ENOMEM : 0;
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = listener};
    if (result == 0 && epoll_ctl(self.epoll, EPOLL_CTL_ADD, listener, &interest) != 0) result = -errno;
    interest.data.fd = lifeline;
    if (result == 0 && epoll_ctl(self.epoll, EPOLL_CTL_ADD, lifeline, &interest) != 0) result = -errno;
    int is_over = 0;
    while (result == 0 && !is_over) {
        struct epoll_event ready[READY];
        int count = epoll_wait(self.epoll, ready, READY, -1);
        if (count < 0 && errno != EINTR) result = -errno;
        for (int index = 0; index < count; index++) {
            int descriptor = ready[index].data.fd;
            if (descriptor == lifeline) is_over = 1;
            else if (descriptor == listener) take_new(&self, listener);
            else if (!take_input(&self, descriptor)) drop(&self, descriptor);
        }
    }
    for (int descriptor = 0; descriptor < self.peer_count; descriptor++) {
        if (self.peers[descriptor].is_open) drop(&self, descriptor);
    }
    for (uint32_t number = 0; number < self.room_count; number++) free(self.rooms[number].members);
    free(self.rooms);
    free(self.peers);
    free(self.frame);
    close(listener);
    if (self.epoll >= 0) close(self.epoll);
    return result;
}
