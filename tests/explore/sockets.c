/* One byte by sockets: see sockets.h. */
#include "sockets.h"
#include "net/socket.h"
#include "shim.h"

long socket_send_byte(struct file *file, unsigned char byte)
{
	return socket_sendto(file, &byte, 1, MSG_NOSIGNAL, NULL, 0);
}

int socket_receive_byte(struct file *file)
{
	unsigned char byte = 0xee;
	long n = socket_recvfrom(file, &byte, 1, 0, NULL, NULL);

	must(n <= 1);
	return n > 0 ? byte : n < 0 ? n : -1;
}
