/* For scenarios with sockets: one byte is sent and received, by a connection or in a packet. */
#ifndef EXPLORE_SOCKETS_H
#define EXPLORE_SOCKETS_H

struct file;

/* Returns 1, or an error. */
long socket_send_byte(struct file *file, unsigned char byte);
/* Returns the byte, or an error; -1 at the end. */
int socket_receive_byte(struct file *file);

#endif
