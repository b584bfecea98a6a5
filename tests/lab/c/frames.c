/* Puts the frames of standard input on an interface, as they are: each is its length (4 bytes, little endian) and its bytes.
 * frames INTERFACE MICROSECONDS-BETWEEN */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments) {
    static unsigned char frame[1 << 16];
    if (count != 3) return 2;
    int wire = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(arguments[1])};
    uint32_t length;
    if (wire < 0) return perror("socket"), 1;
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        if (length > sizeof frame || fread(frame, 1, length, stdin) != length) return 3;
        if (sendto(wire, frame, length, 0, (struct sockaddr *)&to, sizeof to) < 0) return perror("sendto"), 1;
        usleep((useconds_t)atoi(arguments[2]));
    }
    return 0;
}
