/* A stand-in provider that streams at a pace, because nginx can't: one chunk a millisecond on every connection.
 *
 *   paced PORT EVENTS
 *
 * EVENTS is a file of server-sent events. A GET is answered with a list of models. Every POST is answered with all of them, the first at once with the head, the
 * others one a millisecond. A connection keeps its own phase within the millisecond, in eighths, so that streams do not
 * tick together. A reader who is late gets what is due in one write, as from a provider that has gone on generating.
 * One thread, epoll, HTTP/1.1 with keep-alive; requests must have a content-length. For loopback only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { PHASES = 8, MAX_FDS = 65536, MAX_EVENTS = 4096, HEAD_BYTES = 65536 };

struct connection {
    int open, streaming;
    size_t skip;          /* bytes of the request's body that have yet to come */
    uint64_t began;       /* tick of the answer's first chunk */
    size_t sent;          /* bytes of the answer that are written */
    size_t held;          /* bytes in head */
    char *head;
};

static const char models[] =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 89\r\n\r\n"
    "{\"object\":\"list\",\"data\":[{\"id\":\"bench\",\"object\":\"model\",\"created\":1,\"owned_by\":\"bench\"}]}";

static struct connection connections[MAX_FDS];
static int active[MAX_FDS], actives;
static char *answer;                     /* head and all chunks, as they go over the line */
static size_t due[MAX_EVENTS], dues;     /* where each chunk ends */
static uint64_t tick;

static void fail(const char *what) { perror(what); exit(1); }

static void add(const char *bytes, size_t size, size_t *length) {
    answer = realloc(answer, *length + size);
    if (!answer) fail("realloc");
    memcpy(answer + *length, bytes, size);
    *length += size;
}

static void load(const char *path) {
    static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    size_t length = 0;
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    static char text[1 << 20];
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    add(head, sizeof head - 1, &length);
    for (char *event = text; event < text + size && dues < MAX_EVENTS;) {
        char *end = strstr(event, "\n\n");
        if (!end) break;
        end += 2;
        char mark[32];
        add(mark, (size_t)sprintf(mark, "%zx\r\n", (size_t)(end - event)), &length);
        add(event, (size_t)(end - event), &length);
        add("\r\n", 2, &length);
        due[dues++] = length;
        event = end;
    }
    if (!dues) { fprintf(stderr, "%s holds no events\n", path); exit(1); }
    add("0\r\n\r\n", 5, &length);
    due[dues - 1] = length;
}

static void gone(int fd) {
    struct connection *c = &connections[fd];
    free(c->head);
    memset(c, 0, sizeof *c);
    close(fd);
}

/* Write what is due; 0 once the stream is over or its reader has left. */
static int advance(int fd) {
    struct connection *c = &connections[fd];
    uint64_t number = (tick - c->began) / PHASES;
    size_t until = due[number < dues ? number : dues - 1];
    if (until > c->sent) {
        ssize_t written = send(fd, answer + c->sent, until - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && errno != EAGAIN) { gone(fd); return 0; }
        if (written > 0) c->sent += (size_t)written;
    }
    if (c->sent < due[dues - 1]) return 1;
    c->streaming = 0;
    return 0;
}

static void received(int fd) {
    struct connection *c = &connections[fd];
    static char buffer[1 << 18];
    ssize_t size;
    while ((size = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
        char *at = buffer, *end = buffer + size;
        while (at < end) {
            if (c->skip) {
                size_t part = c->skip < (size_t)(end - at) ? c->skip : (size_t)(end - at);
                c->skip -= part;
                at += part;
                if (c->skip) continue;
            } else {
                if (!c->head && !(c->head = malloc(HEAD_BYTES))) fail("malloc");
                if (c->held + 1 >= HEAD_BYTES) { gone(fd); return; }
                c->head[c->held++] = *at++;
                if (c->held < 4 || memcmp(c->head + c->held - 4, "\r\n\r\n", 4)) continue;
                c->head[c->held] = 0;
                c->held = 0;
                if (!strncmp(c->head, "GET ", 4)) {  /* routers ask what models there are before they route */
                    if (send(fd, models, sizeof models - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) { gone(fd); return; }
                    continue;
                }
                char *length = strcasestr(c->head, "\r\ncontent-length:");
                c->skip = length ? strtoul(length + 17, NULL, 10) : 0;
                if (c->skip) continue;
            }
            c->streaming = 1;  /* the request is whole */
            c->sent = 0;
            c->began = tick;
            if (advance(fd)) active[actives++] = fd;
            if (!c->open) return;
        }
    }
    if (size == 0 || (size < 0 && errno != EAGAIN)) gone(fd);
}

int main(int count, char **words) {
    if (count != 3) { fprintf(stderr, "usage: paced PORT EVENTS\n"); return 2; }
    load(words[2]);
    int yes = 1, server = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 4096)) fail("listen");
    int clock = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec every = {{0, 1000000 / PHASES}, {0, 1000000 / PHASES}};
    struct itimerspec never = {{0, 0}, {0, 0}};
    int ticking = 0;
    int watched[2] = {server, clock};
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = watched[i]};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, watched[i], &event)) fail("epoll_ctl");
    }
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == server) {
                int client = accept4(server, NULL, NULL, SOCK_NONBLOCK);
                if (client < 0) continue;
                if (client >= MAX_FDS) { close(client); continue; }
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                connections[client].open = 1;
                struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = client};
                epoll_ctl(poll, EPOLL_CTL_ADD, client, &event);
            } else if (fd == clock) {
                uint64_t passed;
                if (read(clock, &passed, sizeof passed) == sizeof passed) tick += passed;
                int kept = 0;
                for (int j = 0; j < actives; j++) {
                    int one = active[j];
                    struct connection *c = &connections[one];
                    if (!c->open || !c->streaming) continue;
                    int turn = passed >= PHASES || (tick - c->began) % PHASES < passed;
                    if (!turn || advance(one)) active[kept++] = one;
                }
                actives = kept;
            } else if (connections[fd].open) {
                received(fd);
            }
        }
        if ((actives > 0) != ticking) {  /* an idle server takes no time */
            ticking = actives > 0;
            timerfd_settime(clock, 0, ticking ? &every : &never, NULL);
        }
    }
}
