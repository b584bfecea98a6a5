// No DHCP server: answers every DISCOVER with an OFFER and every REQUEST with an ACK of the same form, keeps nothing, asks
// no disk. What load generator, virtual cable and kernel can do at most. Argument: the address to listen on.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, SIZE = 1500, OPTIONS = 240 };

static unsigned char bytes[BATCH][SIZE];
static struct sockaddr_in sender[BATCH];
static struct iovec piece[BATCH];
static struct mmsghdr header[BATCH];

static int message_type(const unsigned char *message, int length) {
    for (int at = OPTIONS; at + 2 < length && message[at] != 255;) {
        if (message[at] == 0) {
            at += 1;
        } else if (message[at] == 53) {
            return message[at + 2];
        } else {
            at += 2 + message[at + 1];
        }
    }
    return 0;
}

static int answer(unsigned char *message, int length, const struct in_addr *server) {
    if (length < OPTIONS + 3)
        return 0;
    unsigned char reply = message_type(message, length) == 1 ? 2 : 5;
    // yiaddr from the hardware address, so that each client has its own, and in the prefix that is behind relays.
    uint32_t number;
    memcpy(&number, message + 30, 4);
    number = htonl(0x0a400010u + ntohl(number) % 4000000u);
    message[0] = 2;
    memcpy(message + 16, &number, 4);
    unsigned char options[] = {53, 1, reply, 54, 4, 0, 0, 0, 0, 51, 4, 0, 0, 15, 160, 1, 4, 255, 0, 0, 0, 255};
    memcpy(options + 5, server, 4);
    memcpy(message + OPTIONS, options, sizeof options);
    return OPTIONS + sizeof options;
}

int main(int count, char **arguments) {
    int socket_number = socket(AF_INET, SOCK_DGRAM, 0), room = 8 << 20;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(67)};
    if (count != 2 || !inet_aton(arguments[1], &own.sin_addr))
        return fprintf(stderr, "echo ADDRESS\n"), 2;
    setsockopt(socket_number, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    if (bind(socket_number, (struct sockaddr *)&own, sizeof own))
        return perror("bind"), 1;
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            piece[i] = (struct iovec){bytes[i], SIZE};
            header[i].msg_hdr = (struct msghdr){
                .msg_name = &sender[i], .msg_namelen = sizeof sender[i], .msg_iov = &piece[i], .msg_iovlen = 1};
        }
        int received = recvmmsg(socket_number, header, BATCH, MSG_WAITFORONE, 0);
        for (int i = 0; i < received; i++)
            piece[i].iov_len = answer(bytes[i], header[i].msg_len, &own.sin_addr);
        sendmmsg(socket_number, header, received, 0);
    }
}
